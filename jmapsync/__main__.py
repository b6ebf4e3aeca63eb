"""Run the program as `python -m jmapsync`."""

from jmapsync.cli import main

if __name__ == "__main__":
    main()
