// Package engine has a second comment, which is one more than one.
package engine
