"""``python -m bench`` is the command line."""

from accelbench_start import main

if __name__ == "__main__":
    main()
