"""Pure tensor functions: no files, no devices, no clock."""
