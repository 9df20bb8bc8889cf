"""Cores as data: one TOML file each, every number with its source."""

from penstock.simulate.pipeline.cores.load import core_names, load_core, parse_core

__all__ = ["core_names", "load_core", "parse_core"]
