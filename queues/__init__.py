"""What is to happen: tasks, work queue files, the depends_on graph and the scheduler."""
