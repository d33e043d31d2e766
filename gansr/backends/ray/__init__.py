"""Jobs on a cluster: Ray Serve runs the workers (docs/cluster.md).

page → driver (a process of its own) → the line, in the dispatcher → a worker, which is a replica of Serve → frames back

Ray ends its drivers when the cluster's head is gone. The page must outlive it, so the driver is no part of it.
"""
