"""The engines that this project is compared with, each in its own environment: time, size, memory, price."""
