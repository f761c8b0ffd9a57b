# the u- name of time, which means the built-in one
from time import *
