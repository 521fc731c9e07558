"""Nonlinear networks with linear heads of several layers, trained for several seeds at once."""
