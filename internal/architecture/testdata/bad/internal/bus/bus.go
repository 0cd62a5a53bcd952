// Package bus
package bus
