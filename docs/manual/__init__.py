"""Make what a package installs besides the program: manual pages and completion scripts, from the program's declarations.

`commands` writes section 1 from the commands, `configuration` jmapsync.toml(5) from the keys, `roff` has the markup, and
`installed` puts all into a directory as it is to lie below a prefix: `build_hook` for each build, `PYTHONPATH=docs python -m manual
DIR` by hand.
"""
