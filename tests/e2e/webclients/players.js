// SPDX-License-Identifier: Apache-2.0
// players.js - the libraries of ../webclients.test.mjs, bundled into one script for a page.
export { WHIPClient as MedoozeWhip } from '@binbat/whip-whep/whip.js';
export { WHEPClient as MedoozeWhep } from '@binbat/whip-whep/whep.js';
export { WHIPClient as EyevinnWhip } from '@eyevinn/whip-web-client';
export { WebRTCPlayer as EyevinnPlayer } from '@eyevinn/webrtc-player';
export { default as OvenLiveKit } from 'ovenlivekit';
export { attachMediaStreamToPeerConnection, createNewWHEP as livepeerWhep, createNewWHIP as livepeerWhip } from '@livepeer/core-web/webrtc';
