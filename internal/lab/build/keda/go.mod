// KEDA's CustomResourceDefinitions, which are files of its module; nothing of it is built, so what it requires is not listed.
module github.com/tripgen/paramedic/internal/lab/build/keda

go 1.26.0

require github.com/kedacore/keda/v2 v2.21.0
