"""What schedulers of elastic jobs share: sizes that a job may have, its pace on them, the best of them, the moves.

``sizes`` says what a job can be given, ``pace`` what it makes of it, ``separable`` chooses sizes for all jobs at once,
``places`` finds servers, and ``rounds`` carries out what was chosen.
"""
