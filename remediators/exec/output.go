package exec

import "bytes"

// maxOutput bounds what is kept of each of a command's two outputs, in bytes.
const maxOutput = 16 << 10

// tail keeps the end of what is written to it.
type tail struct {
	keep int
	buf  []byte
	lost bool
}

// Write implements [io.Writer]. It never fails: a command that prints more than is
// kept is not to notice.
func (t *tail) Write(b []byte) (int, error) {
	n := len(b)
	if n > t.keep {
		b, t.buf, t.lost = b[n-t.keep:], t.buf[:0], true
	}
	if over := len(t.buf) + len(b) - t.keep; over > 0 {
		t.buf, t.lost = append(t.buf[:0], t.buf[over:]...), true
	}
	t.buf = append(t.buf, b...)
	return n, nil
}

const hidden = "[secret]"

// longest is the length of the longest secret: that much more is kept than shown,
// since of a secret at the cut only the end would be left, which no search finds.
func longest(secrets [][]byte) int {
	most := 0
	for _, s := range secrets {
		most = max(most, len(s))
	}
	return most
}

// shown is the end of the output, maxOutput bytes at most, without secrets.
func (t *tail) shown(secrets [][]byte) string {
	hide := make([]bool, len(t.buf))
	for _, s := range secrets {
		for from := 0; ; {
			at := bytes.Index(t.buf[from:], s)
			if at < 0 {
				break
			}
			for i := range s {
				hide[from+at+i] = true
			}
			from += at + 1
		}
	}
	begin := 0
	if t.lost {
		begin = min(longest(secrets), len(t.buf))
	}
	var out []byte
	for i := begin; i < len(t.buf); i++ {
		switch {
		case !hide[i]:
			out = append(out, t.buf[i])
		case i == begin || !hide[i-1]:
			out = append(out, hidden...)
		}
	}
	return string(bytes.ToValidUTF8(out[max(0, len(out)-maxOutput):], []byte("\uFFFD")))
}
