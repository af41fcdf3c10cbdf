"""Rings, and a net of radial basis functions that tells them apart: a laboratory of one's own on probeta."""
