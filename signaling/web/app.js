// SPDX-License-Identifier: Apache-2.0
// app.js - the page: one stage, two modes. State lives in body[data-mode] and body[data-state]; the style sheet does the rest.
import { askForDescriptor, base, linksOf, Session, takeFragment } from './client.js';
import { Meter } from './meter.js';

const $ = (id) => document.getElementById(id);
const body = document.body, video = $('video');
let session = null, local = null, since = 0;

const SIZES = {
  camera: [{ rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 }, { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000 }, { rid: 'f', maxBitrate: 1_700_000 }],
};
const TOP_BITRATE = { '640x360': 800_000, '1280x720': 2_000_000, '1920x1080': 4_000_000 };

const WORDS = {
  publish: { idle: ['Go live in one press', 'Your camera goes straight to this server, and from there to everyone who watches.'], go: 'Publish', stop: 'Stop' },
  watch: { idle: ['Watch a stream', 'Type its name and press Watch. If it is not live yet, this page waits for it.'], go: 'Watch', stop: 'Stop watching' },
};

/** Faults of media capture, in words that say what to do. */
function captureFault(error) {
  if (!navigator.mediaDevices) {
    return ['This page needs a secure address', `Browsers give camera and microphone only to https pages and to localhost. Open ${base.replace(/^http:/, 'https:')} or use this page on the server's own machine.`];
  }
  switch (error.name) {
    case 'NotAllowedError':
      return ['Camera and microphone are blocked', 'Allow them for this page (the icon beside the address), then press Publish again.'];
    case 'NotFoundError':
      return ['No camera or microphone found', 'Plug one in, or choose another source.'];
    case 'NotReadableError':
      return ['The camera is busy', 'Another program uses it. Close that program and press Publish again.'];
    case 'OverconstrainedError':
      return ['This camera cannot do that', 'Choose a smaller size or another camera.'];
    default:
      return ['The source could not be opened', error.message];
  }
}

function veil(title, text, { thin = false, action = null } = {}) {
  $('veil').classList.remove('gone');
  $('veil').classList.toggle('thin', thin);
  $('veil-title').textContent = title;
  $('veil-text').textContent = text;
  $('veil-action').hidden = !action;
  if (action) {
    $('veil-action').textContent = action.label;
    $('veil-action').onclick = action.run;
  }
}

function set(state) {
  body.dataset.state = state;
  const words = WORDS[body.dataset.mode], running = !['idle', 'error'].includes(state);
  $('go').textContent = running ? words.stop : words.go;
  $('live').hidden = !['live', 'reconnecting'].includes(state);
  $('live-text').textContent = state === 'live' ? 'Live' : 'Reconnecting';
  for (const id of ['mute-mic', 'mute-cam', 'full']) $(id).disabled = !running;
  for (const id of ['name', 'camera', 'microphone', 'codec', 'size', 'simulcast', 'token']) $(id).disabled = running;
  for (const radio of $('form').elements.source) radio.disabled = running;
  $('share').hidden = !running;
  if (state === 'idle') veil(...words.idle);
}

function askForToken(error) {
  if ($('token').value) veil('This token is not accepted', error.message);
  else veil('A token is needed', `This server lets in only those who have one. Type it under Access, then press ${WORDS[body.dataset.mode].go} again.`);
  $('token').closest('details').open = true;
  $('token').focus();
}

/** What the session reports, on the stage. */
function onstate(state, error) {
  set(state);
  const watching = body.dataset.mode === 'watch';
  if (state === 'live') {
    since ||= Date.now();
    if (!watching || video.videoWidth) $('veil').classList.add('gone');
    else veil('Connected', 'Waiting for the first picture.', { thin: true });
    $('numbers').hidden = false;
  } else if (state === 'waiting') {
    veil(since ? 'Not live any more' : 'Not live yet', `“${$('name').value}” has no publisher at the moment. The picture comes by itself as soon as it starts.`);
  } else if (state === 'connecting') {
    veil('Connecting', error ? `${error.message} Trying again.` : 'One moment.', { thin: Boolean(local) });
  } else if (state === 'reconnecting') {
    veil('Reconnecting', 'The connection was lost. This page keeps trying by itself.', { thin: true });
  } else if (state === 'error') {
    end();
    if (error.status === 401 || error.status === 403) askForToken(error);
    else veil('That did not work', error.message);
  }
}

function preferCodec(transceiver, name) {
  if (!name || !transceiver.setCodecPreferences) return;
  const all = RTCRtpReceiver.getCapabilities('video').codecs;
  const first = all.filter((c) => c.mimeType.toLowerCase() === `video/${name.toLowerCase()}`);
  if (!first.length) throw new DOMException(`This browser cannot send ${name}. Choose another codec.`, 'NotSupportedError');
  transceiver.setCodecPreferences([...first, ...all.filter((c) => !first.includes(c))]);
}

function encodings(source) {
  const codec = $('codec').value, top = TOP_BITRATE[$('size').value];
  if (!$('simulcast').checked || source !== 'camera') return [{ maxBitrate: top }];
  // VP9 and AV1 send every size only when told a scalability mode.
  const mode = codec === 'VP9' || codec === 'AV1' ? { scalabilityMode: 'L1T3' } : {};
  return SIZES.camera.map((e) => ({ ...e, ...mode, maxBitrate: e.rid === 'f' ? top : e.maxBitrate }));
}

async function capture(source) {
  if (!navigator.mediaDevices) throw new Error('insecure');
  const [width, height] = $('size').value.split('x').map(Number);
  if (source === 'screen') return navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 30 }, audio: true });
  const id = (el) => (el.value ? { deviceId: { exact: el.value } } : {});
  return navigator.mediaDevices.getUserMedia({
    audio: { ...id($('microphone')), echoCancellation: true },
    video: source === 'camera' ? { ...id($('camera')), width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 30 } } : false,
  });
}

async function listDevices() {
  if (!navigator.mediaDevices?.enumerateDevices) return;
  const devices = await navigator.mediaDevices.enumerateDevices();
  for (const [id, kind] of [['camera', 'videoinput'], ['microphone', 'audioinput']]) {
    const select = $(id), chosen = select.value;
    select.replaceChildren(new Option('Default', ''), ...devices.filter((d) => d.kind === kind && d.deviceId && d.deviceId !== 'default').map((d, i) => new Option(d.label || `${id} ${i + 1}`, d.deviceId)));
    select.value = [...select.options].some((o) => o.value === chosen) ? chosen : '';
  }
}

async function publish() {
  const source = $('form').elements.source.value;
  set('connecting');
  veil('Opening the source', 'The browser may ask for permission.');
  try {
    local = await capture(source);
  } catch (error) {
    set('error');
    veil(...captureFault(error));
    return;
  }
  if (body.dataset.state !== 'connecting') return end(); // stopped while the browser was asking
  listDevices();
  video.srcObject = local;
  video.muted = true;
  video.classList.toggle('mirror', source === 'camera');
  video.play().catch(() => {});
  local.getTracks().forEach((t) => t.addEventListener('ended', () => local?.getTracks().every((x) => x.readyState === 'ended') && stop()));
  run('whip', (pc) => {
    for (const track of local.getTracks()) {
      if (track.kind === 'audio') {
        pc.addTransceiver(track, { direction: 'sendonly', streams: [local] });
      } else {
        if (source === 'screen') track.contentHint = 'detail';
        preferCodec(pc.addTransceiver(track, { direction: 'sendonly', streams: [local], sendEncodings: encodings(source) }), $('codec').value);
      }
    }
  });
}

function watch() {
  const stream = new MediaStream();
  video.classList.remove('mirror');
  video.muted = false;
  run('whep', (pc) => {
    stream.getTracks().forEach((t) => stream.removeTrack(t));
    pc.addTransceiver('audio', { direction: 'recvonly' });
    askForDescriptor(pc.addTransceiver('video', { direction: 'recvonly' }));
  }, ({ track }) => {
    stream.addTrack(track);
    // Not before: a media element without data keeps the tab's "loading" sign turning.
    if (video.srcObject !== stream) video.srcObject = stream;
    video.play().catch(() => {
      video.muted = true; // no gesture yet: the picture plays, the sound waits for one
      $('unmute').hidden = false;
      video.play().catch(() => {});
    });
  });
}

// ---- the layers of what is watched, for those who want to choose ----

let events = null, layerUrl = '';

function forgetLayers() {
  events?.close();
  events = null;
  $('layers').hidden = true;
}

/** The publisher's layers come by server-sent events, also when they change. */
function onanswer(response) {
  const links = linksOf(response), source = links['urn:ietf:params:whep:ext:core:server-sent-events'];
  forgetLayers();
  layerUrl = links['urn:ietf:params:whep:ext:core:layer'];
  if (!source || !layerUrl) return;
  events = new EventSource(source);
  events.addEventListener('layers', ({ data }) => {
    const layers = Object.values(JSON.parse(data))[0]?.filter((l) => l.rid) || [], chosen = $('layer').value;
    const label = (l) => [l.height && `${l.height}p`, `${Math.round(l.bitrate / 1000).toLocaleString('en')} kbit/s`].filter(Boolean).join(', ');
    $('layers').hidden = layers.length < 2;
    $('layer').replaceChildren(new Option('Automatic', ''), ...layers.sort((a, b) => b.bitrate - a.bitrate).map((l) => new Option(label(l), l.rid)));
    $('layer').value = layers.some((l) => l.rid === chosen) ? chosen : '';
  });
}

function chooseLayer() {
  const rid = $('layer').value, headers = { 'Content-Type': 'application/json', ...session.authorization() };
  fetch(layerUrl, rid ? { method: 'POST', headers, body: JSON.stringify({ rid }) } : { method: 'DELETE', headers }).then((r) => { if (!r.ok) $('layer').value = ''; }, () => {});
}

function run(kind, prepare, ontrack) {
  const name = $('name').value.split('/').map(encodeURIComponent).join('/');
  history.replaceState(null, '', `#${body.dataset.mode}/${name}`);
  session = new Session({ url: `${base}${kind}/${name}`, token: $('token').value.trim(), prepare, ontrack, onstate, ...(kind === 'whep' ? { onanswer } : {}) });
  since = 0;
  session.start();
  meter.start(session);
}

/** Releases everything; the stage keeps its words. */
function end() {
  session?.stop();
  session = null;
  forgetLayers();
  meter.stop();
  local?.getTracks().forEach((t) => t.stop());
  local = null;
  video.srcObject = null;
  $('numbers').hidden = true;
  $('unmute').hidden = true;
  for (const id of ['mute-mic', 'mute-cam']) $(id).setAttribute('aria-pressed', 'false');
}

function stop() {
  end();
  set('idle');
}

function mode(name) {
  if (session || local) stop();
  body.dataset.mode = name;
  for (const m of ['publish', 'watch']) $(`tab-${m}`).setAttribute('aria-selected', String(m === name));
  document.title = name === 'publish' ? 'Publish · Sluice' : 'Watch · Sluice';
  set('idle');
  endpoint();
}

function endpoint() {
  const kind = body.dataset.mode === 'publish' ? 'whip' : 'whep';
  $('endpoint').textContent = `${base}${kind}/${$('name').value || 'name'}`;
}

const meter = new Meter($('chart'), (s) => {
  const publishing = body.dataset.mode === 'publish';
  const facts = [
    [publishing ? 'Sending' : 'Receiving', `${Math.round(s.kbps).toLocaleString('en')} kbit/s`],
    ['Picture', s.width ? `${s.width} × ${s.height}` : '–'],
    ['Frames', s.fps ? `${Math.round(s.fps)} a second` : '–'],
    ['Codec', s.codec || '–'],
    ['Loss', `${s.loss.toFixed(1)} %`, s.loss > 2],
    ['Round trip', s.rtt ? `${Math.round(s.rtt)} ms` : '–', s.rtt > 300],
  ];
  if (publishing && s.layers > 1) facts.push(['Sizes', `${s.layers} at once`]);
  if (publishing && s.limited) facts.push(['Held back by', s.limited === 'cpu' ? 'this computer' : s.limited, true]);
  if (!publishing) facts.push(['Freezes', String(s.freezes), s.freezes > 0]);
  $('facts').replaceChildren(...facts.map(([term, text, bad]) => {
    const row = document.createElement('div'), dt = document.createElement('dt'), dd = document.createElement('dd');
    dt.textContent = term;
    dd.textContent = text;
    dd.classList.toggle('bad', Boolean(bad));
    row.append(dt, dd);
    return row;
  }));
  $('address').textContent = s.address ? `${publishing ? 'to' : 'from'} ${s.address}` : '';
  const t = Math.floor((Date.now() - since) / 1000);
  $('live-time').textContent = `${t >= 3600 ? `${Math.floor(t / 3600)}:` : ''}${String(Math.floor(t / 60) % 60).padStart(t >= 3600 ? 2 : 1, '0')}:${String(t % 60).padStart(2, '0')}`;
});

function toggle(button, kind) {
  const off = button.getAttribute('aria-pressed') !== 'true';
  button.setAttribute('aria-pressed', String(off));
  local?.getTracks().filter((t) => t.kind === kind).forEach((t) => { t.enabled = !off; });
}

$('form').addEventListener('submit', (ev) => {
  ev.preventDefault();
  if (session || ['connecting', 'waiting', 'live', 'reconnecting'].includes(body.dataset.state)) stop();
  else if (body.dataset.mode === 'publish') publish();
  else watch();
});
video.addEventListener('resize', () => body.dataset.state === 'live' && video.videoWidth && $('veil').classList.add('gone'));
video.addEventListener('playing', () => body.dataset.state === 'live' && $('veil').classList.add('gone'));
$('tab-publish').addEventListener('click', () => mode('publish'));
$('tab-watch').addEventListener('click', () => mode('watch'));
document.querySelector('.tabs').addEventListener('keydown', (ev) => {
  if (!['ArrowLeft', 'ArrowRight'].includes(ev.key)) return;
  const other = body.dataset.mode === 'publish' ? 'watch' : 'publish';
  mode(other);
  $(`tab-${other}`).focus();
});
$('mute-mic').addEventListener('click', (ev) => toggle(ev.currentTarget, 'audio'));
$('mute-cam').addEventListener('click', (ev) => toggle(ev.currentTarget, 'video'));
$('full').addEventListener('click', () => (document.fullscreenElement ? document.exitFullscreen() : document.querySelector('.stage').requestFullscreen?.()));
$('unmute').addEventListener('click', () => {
  video.muted = false;
  $('unmute').hidden = true;
});
$('share').addEventListener('click', async () => {
  const link = `${base}#watch/${$('name').value}`;
  try {
    await navigator.clipboard.writeText(link);
    $('share').textContent = 'Copied';
    setTimeout(() => { $('share').textContent = 'Copy the link to watch'; }, 1500);
  } catch {
    prompt('The link to watch:', link);
  }
});
$('layer').addEventListener('change', chooseLayer);
$('name').addEventListener('input', endpoint);
addEventListener('pagehide', () => session?.stop());

const { name: fragment, given } = takeFragment();
const [want, ...rest] = fragment.split('/');
$('token').value = given.get('token') || '';
if (rest.length) $('name').value = rest.join('/');
mode(want === 'watch' ? 'watch' : 'publish');
if (!window.isSecureContext && body.dataset.mode === 'publish') veil(...captureFault({}));
listDevices().catch(() => {});
if (want === 'watch' && rest.length) watch(); // a shared link plays by itself
window.sluice = { get session() { return session; } }; // for the console, and for tests
