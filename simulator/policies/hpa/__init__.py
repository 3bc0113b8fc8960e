"""The horizontal pod autoscaler of Kubernetes as a calculation without a clock, for all who scale by its rules.

``metrics`` are what it goes by, ``samples`` groups pods by what is known of them, ``calculator`` proposes a number by
one metric, ``behavior`` limits how fast it changes, ``stabilisation`` looks back at recommendations, ``controller``
puts them together, and ``manifest`` reads what users write. Semantics and defaults are those of Kubernetes 1.33:
pkg/controller/podautoscaler/{horizontal,replica_calculator}.go and pkg/apis/autoscaling/v2/defaults.go.
"""
