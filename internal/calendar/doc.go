// Package calendar tells when something that comes again and again begins: a
// cron expression in a time zone ([Schedule]), and a time that opens then and
// stays open for so long ([Window]).
//
// An expression has five fields: the minute, the hour, the day of the month,
// the month and the day of the week. A field is *, a value, a range (1-5),
// either of these with a step (*/15, 10-30/5), or several of these with commas
// between. Months and days of the week have English names of three letters;
// Sunday is 0. If both days are restricted, a day that fits either is meant,
// and a step (*/2) restricts. The short forms @yearly, @annually, @monthly,
// @weekly, @daily, @midnight and @hourly stand for whole expressions. Source:
// crontab(5), as github.com/robfig/cron reads it.
//
// Where clocks change, a start whose time of day is skipped happens at the
// moment of the jump, once with all others that are skipped then, and one whose
// time of day comes twice happens the first time. A schedule whose hour is
// every hour goes by the time that passes instead: it happens in both of the
// repeated hours, and nothing is made up for the skipped one.
//
// The package is pure: time comes in. Zones are IANA's, and those that the
// program carries where the host has none. Values may be used by many at once.
//
// Tests walk real time minute by minute, with a reading of the rules above that
// shares nothing with this code, and compare.
package calendar
