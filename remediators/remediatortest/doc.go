// Package remediatortest is the suite that every remediator passes: what
// [remediators.Remediator] promises, tried on a real target, with the network
// between the two failing in every way that matters.
//
// A remediator's test makes a [Subject] and calls [Run]. The remediator talks to
// its target, by HTTP or any other protocol of requests over TCP, through a proxy of
// the suite's, which can lose a request, lose an answer, hold a request back and let
// it arrive late, or answer in the target's place. Effects are counted at the target, never by the
// remediator.
//
// Every value and error that the remediator returns is also searched for the
// subject's secrets, and every error must be classified.
package remediatortest
