"""A finished book taken up again: opened, compared, archived, deposited, printed."""
