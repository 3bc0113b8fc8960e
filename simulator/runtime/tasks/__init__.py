"""Data jobs: stages of tasks on executors that come and go."""
