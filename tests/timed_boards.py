"""The boards whose cores have a clock; the others run in QEMU, which counts instructions only."""

from penstock.boards import board_names, load_board
from penstock.boards.cores import is_timed

TIMED_BOARDS = tuple(name for name in board_names() if is_timed(load_board(name).core.name))
