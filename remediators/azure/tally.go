package azure

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/costmanagement/armcostmanagement/v2"
)

// Columns that every answer has.
const (
	columnCost     = "Cost"
	columnCurrency = "Currency"
)

// tally adds up the rows of an answer.
type tally struct {
	dimension dimension
	currency  string
	total     float64
	by        map[string]float64
}

// add takes one page. After an error the tally is of no use.
func (t *tally) add(table *armcostmanagement.QueryProperties) error {
	if table == nil || len(table.Columns) == 0 {
		return errors.New("the answer is no table with columns")
	}
	cost, err := column(table, columnCost)
	if err != nil {
		return err
	}
	currency, err := column(table, columnCurrency)
	if err != nil {
		return err
	}
	value := -1
	if t.dimension.name != "" {
		if value, err = column(table, t.dimension.column); err != nil {
			return err
		}
	}
	for i, row := range table.Rows {
		if len(row) != len(table.Columns) {
			return fmt.Errorf("row %d has %d values for %d columns", i+1, len(row), len(table.Columns))
		}
		if err := t.row(row, cost, currency, value); err != nil {
			return fmt.Errorf("row %d: %w", i+1, err)
		}
	}
	return nil
}

// row adds a row, whose values are at these places. The place of the dimension's
// value is -1 without a dimension.
func (t *tally) row(row []any, cost, currency, value int) error {
	amount, ok := row[cost].(float64)
	if !ok {
		return fmt.Errorf("column %s is %s, and not a number", columnCost, kind(row[cost]))
	}
	code, ok := row[currency].(string)
	switch {
	case !ok || code == "":
		return fmt.Errorf("column %s is %s, and not the code of one", columnCurrency, kind(row[currency]))
	case t.currency == "":
		t.currency = code
	case t.currency != code:
		return fmt.Errorf("there are costs in %s and in %s, which cannot be added: this subscription has no one total", t.currency, code)
	}
	if t.total += amount; math.IsInf(t.total, 0) {
		return errors.New("the sum is no number any more")
	}
	if value < 0 {
		return nil
	}
	name, ok := row[value].(string)
	if !ok && row[value] != nil { // what has no value is null, or an empty text
		return fmt.Errorf("column %s is %s, and not a text", t.dimension.column, kind(row[value]))
	}
	if t.by == nil {
		t.by = map[string]float64{}
	}
	t.by[t.dimension.value(name)] += amount
	return nil
}

func (t *tally) costs() Costs {
	c := Costs{Currency: t.currency, Total: t.total, By: t.by}
	if c.By == nil && t.dimension.name != "" {
		c.By = map[string]float64{}
	}
	return c
}

// column finds a column by its name: their order is Azure's to change.
func column(table *armcostmanagement.QueryProperties, name string) (int, error) {
	found := -1
	var has []string
	for i, c := range table.Columns {
		if c == nil || c.Name == nil {
			return 0, fmt.Errorf("column %d has no name", i+1)
		}
		has = append(has, *c.Name)
		if !strings.EqualFold(*c.Name, name) {
			continue
		}
		if found >= 0 {
			return 0, fmt.Errorf("two columns are called %s", name)
		}
		found = i
	}
	if found < 0 {
		return 0, fmt.Errorf("there is no column %s, only: %s", name, strings.Join(has, ", "))
	}
	return found, nil
}

// kind says what a value is. Its content stays out of errors.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case float64:
		return "a number"
	case string:
		if v == "" {
			return "an empty text"
		}
		return "a text"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}
