"""What the user sees: tables and lines on standard output, progress and errors on standard error."""
