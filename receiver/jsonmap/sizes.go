package jsonmap

import (
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
)

// sizes are what the estimated cost of an expression assumes of a document: as
// large as usual ones get. A larger one meets the limit when it is evaluated.
type sizes struct{}

// EstimateSize implements checker.CostEstimator. Whether a dyn is a text or a
// list is not known; as either it is estimated like a short one.
func (sizes) EstimateSize(element checker.AstNode) *checker.SizeEstimate {
	switch element.Type().Kind() {
	case types.MapKind, types.ListKind, types.DynKind:
		return &checker.SizeEstimate{Max: 64}
	default:
		return &checker.SizeEstimate{Max: 256}
	}
}

// EstimateCallCost implements checker.CostEstimator.
//
//nolint:gocritic // the pointer is of the interface
func (sizes) EstimateCallCost(_, _ string, _ *checker.AstNode, _ []checker.AstNode) *checker.CallEstimate {
	return nil
}
