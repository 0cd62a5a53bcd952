// Package util is a drawer for whatever does not fit in any other drawer of the house.
package util
