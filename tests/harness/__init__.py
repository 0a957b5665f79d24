"""What tests from outside share: see README.md in this folder."""
