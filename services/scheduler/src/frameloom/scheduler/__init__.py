"""The scheduler: plans tasks, opens the dispatch window, reaps leases, rolls tasks up into jobs.

A reader follows a job here in this order: ``handlers`` (what wakes us), ``planner`` (job to tasks),
``window`` (pure: which tasks go out now, and where), ``dispatcher`` (sends them), ``folder`` (what became
of them, into the job), ``canceller`` (ends those of jobs that were cancelled or deleted), ``sweeper``
(whatever the events missed).
"""
