package azure

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/costmanagement/armcostmanagement/v2"
)

// TagPrefix begins the name of a dimension that is a tag: tag:team breaks costs
// down by the values of the tag team.
const TagPrefix = "tag:"

// maxTag is how long the name of a tag may be
// (https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations).
const maxTag = 512

// Dimensions are the names by which [Account.MonthToDate] can break costs down,
// sorted, beside a tag: [TagPrefix] and its name.
func Dimensions() []string { return slices.Sorted(maps.Keys(dimensions())) }

// dimensions has Azure's own names of the dimensions.
func dimensions() map[string]string {
	return map[string]string{
		"location":      "ResourceLocation",
		"resourceGroup": "ResourceGroupName",
		"resourceType":  "ResourceType",
		"service":       "ServiceName",
	}
}

// CheckDimension says what is wrong with the name of a dimension; nil if nothing
// is. Empty is fine: costs are not broken down then.
func CheckDimension(by string) error {
	_, err := dimensionOf(by)
	return err
}

// dimension is how costs are broken down. Its zero value is not at all.
type dimension struct {
	kind armcostmanagement.QueryColumnType
	// name is Azure's name of it, and column that of its column in the answer.
	name, column string
	// folds says that its values are names in which Azure does not tell capital
	// from small letters, nor writes them always the same.
	folds bool
}

func dimensionOf(by string) (dimension, error) {
	if by == "" {
		return dimension{}, nil
	}
	if tag, ok := strings.CutPrefix(by, TagPrefix); ok {
		if tag == "" || len(tag) > maxTag || strings.ContainsAny(tag, `<>%&\?/`) {
			return dimension{}, fmt.Errorf(`costs by %q: the name of a tag has 1 to %d characters and none of < > %% & \ ? /`, by, maxTag)
		}
		// The columns TagKey and TagValue answer for whichever tag was asked for.
		return dimension{kind: armcostmanagement.QueryColumnTypeTagKey, name: tag, column: "TagValue"}, nil
	}
	name, ok := dimensions()[by]
	if !ok {
		return dimension{}, fmt.Errorf("costs by %q: there is no such dimension: want one of %s, or %sNAME", by, strings.Join(Dimensions(), ", "), TagPrefix)
	}
	return dimension{
		kind: armcostmanagement.QueryColumnTypeDimension, name: name, column: name,
		folds: by == "resourceGroup" || by == "resourceType",
	}, nil
}

// value is how a value of the dimension is told.
func (d dimension) value(sent string) string {
	if d.folds {
		return strings.ToLower(sent)
	}
	return sent
}
