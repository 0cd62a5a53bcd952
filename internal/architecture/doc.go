// Package architecture holds the rules of the house as a test: which package may import which, where which SDK may be
// used, that the pure core is pure, that there is no package-level state, that every package is documented, and how the
// tree is laid out. There is no code in it but tests; they parse the source and run none of it.
//
// Each rule is a function from the parsed tree to findings. The test runs all of them on the repository, which must
// give none, and on testdata/bad, a tree that breaks each rule, which must give exactly the findings of
// testdata/bad.txt: a rule that finds nothing any more is noticed.
//
// A new package needs a line in the table of arrows, which is where its place in the design is decided.
package architecture
