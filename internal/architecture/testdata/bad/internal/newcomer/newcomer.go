// Package newcomer is one that nobody found a place for in the table of arrows so far.
package newcomer
