# the u- name of machine, which means the built-in one
from machine import *
