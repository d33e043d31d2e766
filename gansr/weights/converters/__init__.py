"""Converters for shared networks: the authors' files → the state dict of our network, deterministically.

A converter takes the files that an entry names, in that order, and returns key → tensor. It reads them without
unpickling (gansr.weights.authors) and raises WeightsError naming the keys that do not fit. A paper's own converters
are in its folder. The manifest names each by import path.
"""
