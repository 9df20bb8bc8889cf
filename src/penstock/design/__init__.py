"""The learning side: networks, training and export. The only room that may import torch."""
