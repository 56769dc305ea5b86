"""Packers: archives and folders of images in, one HDF5 file out."""
