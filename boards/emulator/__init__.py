"""Boards without hardware: real MicroPython VMs behind ptys."""
