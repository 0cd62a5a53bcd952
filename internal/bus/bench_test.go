package bus

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// The benchmarks run on the embedded server with every write synced.

func BenchmarkPublishInbox(b *testing.B) {
	bus := openEmbedded(b)
	ctx, data := testContext(b), make([]byte, 1024)
	b.ResetTimer()
	for i := range b.N {
		if _, err := bus.PublishInbox(ctx, "delivery", fmt.Sprint("d-", i), data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

func BenchmarkAppendLedger(b *testing.B) {
	bus := openEmbedded(b)
	ctx, data := testContext(b), make([]byte, 1024)
	b.ResetTimer()
	for i := range uint64(b.N) {
		if _, err := bus.AppendLedger(ctx, i, fmt.Sprint("r-", i), data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

func BenchmarkWork(b *testing.B) {
	bus := openEmbedded(b)
	ctx := testContext(b)
	q, err := bus.Work(ctx, "g", []string{"a", "b", "c"}, 1<<35)
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for i := range b.N {
		if err := bus.PublishWork(ctx, "g", "a", fmt.Sprint("t-", i), nil); err != nil {
			b.Fatal(err)
		}
		j, err := q.Next(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if err := j.Ack(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "job/s")
}

const replayed = 50_000

func BenchmarkReader(b *testing.B) {
	bus := openEmbedded(b)
	publishMany(b, bus, replayed)
	for name, read := range map[string]func(*Reader) (uint64, error){
		"Next": func(r *Reader) (uint64, error) {
			m, err := r.Next(b.Context())
			return m.Seq, err
		},
		"NextBatch": func(r *Reader) (uint64, error) {
			ms, err := r.NextBatch(b.Context(), 1000)
			if err != nil {
				return 0, err
			}
			return ms[len(ms)-1].Seq, nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				r, err := bus.Inbox(testContext(b), 1)
				if err != nil {
					b.Fatal(err)
				}
				for seq := uint64(0); seq < replayed; {
					if seq, err = read(r); err != nil {
						b.Fatal(err)
					}
				}
				r.Close()
			}
			b.ReportMetric(float64(b.N)*replayed/b.Elapsed().Seconds(), "msg/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkClientPublish is the same publish by the client alone, to compare
// BenchmarkPublishInbox with.
func BenchmarkClientPublish(b *testing.B) {
	bus := openEmbedded(b)
	ctx, data := testContext(b), make([]byte, 1024)
	b.ResetTimer()
	for i := range b.N {
		if _, err := bus.js.Publish(ctx, "inbox.raw", data, jetstream.WithMsgID(fmt.Sprint("d-", i))); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
