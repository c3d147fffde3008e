// SPDX-License-Identifier: Apache-2.0

// A publisher and a viewer on Pion, the stack of MediaMTX, LiveKit and most servers in Go, which reads other servers' WHIP and WHEP so:
// OPTIONS tells whether to trickle, the 201 must have an ETag then, candidates follow one by one, and DELETE must be answered 200.
//
//	pion publish URL SECONDS VIDEO.h264 SOUND.ogg
//	pion play URL SECONDS VIDEO.h264         writes what it gets
//
// The last line is JSON.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/h264reader"
	"github.com/pion/webrtc/v4/pkg/media/h264writer"
	"github.com/pion/webrtc/v4/pkg/media/oggreader"
)

const frameTime = time.Second / 30

var report = map[string]any{}

func must(err error) {
	if err != nil {
		report["fault"] = err.Error()
		finish(1)
	}
}

func finish(status int) {
	line, _ := json.Marshal(report)
	fmt.Println(string(line))
	os.Exit(status)
}

func request(method, target string, header map[string]string, body string) *http.Response {
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	must(err)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	must(err)
	return response
}

type session struct {
	pc             *webrtc.PeerConnection
	resource, etag string
	trickled       int
}

// join sends the offer without candidates and each candidate after it.
func join(pc *webrtc.PeerConnection, endpoint string) *session {
	s := &session{pc: pc}
	options := request("OPTIONS", endpoint, nil, "")
	if !strings.Contains(options.Header.Get("Access-Control-Allow-Methods"), "PATCH") {
		must(errors.New("OPTIONS offers no PATCH: no trickle"))
	}
	candidates := make(chan *webrtc.ICECandidate, 100)
	pc.OnICECandidate(func(c *webrtc.ICECandidate) { candidates <- c })
	offer, err := pc.CreateOffer(nil)
	must(err)
	must(pc.SetLocalDescription(offer))
	post := request("POST", endpoint, map[string]string{"Content-Type": "application/sdp"}, offer.SDP)
	answer, err := io.ReadAll(post.Body)
	must(err)
	if post.StatusCode != http.StatusCreated {
		must(fmt.Errorf("%d: %s", post.StatusCode, answer))
	}
	base, err := url.Parse(endpoint)
	must(err)
	location, err := base.Parse(post.Header.Get("Location"))
	must(err)
	s.resource, s.etag = location.String(), post.Header.Get("ETag")
	if s.etag == "" {
		must(errors.New("no ETag in the 201"))
	}
	must(pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)}))
	for c := range candidates {
		if c == nil {
			return s
		}
		s.trickle(offer.SDP, c)
	}
	return s
}

func (s *session) trickle(offer string, c *webrtc.ICECandidate) {
	ufrag, password := attribute(offer, "a=ice-ufrag:"), attribute(offer, "a=ice-pwd:")
	fragment := fmt.Sprintf("%s\r\n%s\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=%s\r\n", ufrag, password, c.ToJSON().Candidate)
	answer := request("PATCH", s.resource, map[string]string{"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": s.etag}, fragment)
	if answer.StatusCode != http.StatusNoContent {
		must(fmt.Errorf("PATCH: %d", answer.StatusCode))
	}
	s.trickled++
}

func (s *session) leave() {
	report["trickled"] = s.trickled
	report["deleted"] = request("DELETE", s.resource, nil, "").StatusCode
	must(s.pc.Close())
}

func attribute(sdp, name string) string {
	at := strings.Index(sdp, name)
	return sdp[at : at+strings.IndexAny(sdp[at:], "\r\n")]
}

func connection() *webrtc.PeerConnection {
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	must(err)
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) { report["state"] = state.String() })
	return pc
}

func localTrack(pc *webrtc.PeerConnection, mime, id string) *webrtc.TrackLocalStaticSample {
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: mime}, id, "clip")
	must(err)
	sender, err := pc.AddTrack(track)
	must(err)
	go func() { // repetitions are the sender's, once its RTCP is read
		for {
			if _, _, err := sender.ReadRTCP(); err != nil {
				return
			}
		}
	}()
	return track
}

func publish(endpoint string, seconds time.Duration, video, sound string) {
	pc := connection()
	picture, tone := localTrack(pc, webrtc.MimeTypeH264, "video"), localTrack(pc, webrtc.MimeTypeOpus, "audio")
	up := make(chan struct{})
	pc.OnICEConnectionStateChange(func(state webrtc.ICEConnectionState) {
		if state == webrtc.ICEConnectionStateConnected {
			close(up)
		}
	})
	s := join(pc, endpoint)
	select {
	case <-up:
	case <-time.After(10 * time.Second):
		must(errors.New("ICE does not connect"))
	}
	go sendSound(tone, sound)
	done := make(chan struct{})
	go sendPicture(picture, video, done)
	select {
	case <-done:
	case <-time.After(seconds):
	}
	s.leave()
}

func sendPicture(track *webrtc.TrackLocalStaticSample, path string, done chan struct{}) {
	file, err := os.Open(path)
	must(err)
	reader, err := h264reader.NewReader(file)
	must(err)
	tick := time.NewTicker(frameTime)
	var frame []byte
	slices := false
	for {
		nal, err := reader.NextNAL()
		slice := err == nil && (nal.UnitType == h264reader.NalUnitTypeCodedSliceNonIdr || nal.UnitType == h264reader.NalUnitTypeCodedSliceIdr)
		// A frame ends before what is no slice, or is the first one: that of macroblock 0.
		if slices && (!slice || nal.Data[1]&0x80 != 0) {
			<-tick.C
			_ = track.WriteSample(media.Sample{Data: frame, Duration: frameTime})
			frame, slices = nil, false
		}
		if errors.Is(err, io.EOF) {
			close(done)
			return
		}
		must(err)
		frame = append(append(frame, 0, 0, 0, 1), nal.Data...)
		slices = slices || slice
	}
}

func sendSound(track *webrtc.TrackLocalStaticSample, path string) {
	file, err := os.Open(path)
	must(err)
	reader, _, err := oggreader.NewWith(file)
	must(err)
	tick := time.NewTicker(20 * time.Millisecond)
	for {
		page, _, err := reader.ParseNextPage()
		if err != nil {
			return
		}
		if bytes.HasPrefix(page, []byte("OpusTags")) {
			continue
		}
		<-tick.C
		_ = track.WriteSample(media.Sample{Data: page, Duration: 20 * time.Millisecond})
	}
}

func play(endpoint string, seconds time.Duration, path string) {
	pc := connection()
	var packets, sound atomic.Int64
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		_, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		must(err)
	}
	writer, err := h264writer.New(path)
	must(err)
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		if track.Kind() == webrtc.RTPCodecTypeVideo {
			report["codec"] = track.Codec().MimeType
			must(pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(track.SSRC())}}))
		}
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			if track.Kind() == webrtc.RTPCodecTypeAudio {
				sound.Add(1)
				continue
			}
			packets.Add(1)
			must(writer.WriteRTP(packet))
		}
	})
	s := join(pc, endpoint)
	time.Sleep(seconds)
	s.leave()
	must(writer.Close())
	report["video"], report["audio"] = packets.Load(), sound.Load()
}

func main() {
	if len(os.Args) < 5 {
		fmt.Fprintln(os.Stderr, "pion publish|play URL SECONDS VIDEO [SOUND]")
		os.Exit(2)
	}
	number, err := strconv.ParseFloat(os.Args[3], 64)
	must(err)
	seconds := time.Duration(number * float64(time.Second))
	if os.Args[1] == "publish" {
		publish(os.Args[2], seconds, os.Args[4], os.Args[5])
	} else {
		play(os.Args[2], seconds, os.Args[4])
	}
	finish(0)
}
