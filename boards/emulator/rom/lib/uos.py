# the u- name of os, which means the built-in one
from os import *
