// The vertical autoscaler's CustomResourceDefinitions, which are a file of its module; nothing of it is built, so what it requires is not listed.
module github.com/tripgen/paramedic/internal/lab/build/vpa

go 1.26.0

require k8s.io/autoscaler/vertical-pod-autoscaler v1.8.1
