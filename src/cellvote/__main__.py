"""``python -m cellvote``: the command line, as the window starts it in its own process."""

from cellvote.cli import main

if __name__ == "__main__":
    main()
