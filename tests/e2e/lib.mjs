// SPDX-License-Identifier: Apache-2.0
// lib.mjs - starts a server and browsers for the end-to-end tests, and namespaces for clients that refuse loopback.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test as plain } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const here = dirname(fileURLToPath(import.meta.url));
export const binary = process.env.SLUICE || join(here, '../../build/sluice');
export const marker = readFileSync(join(here, 'marker.js'), 'utf8');

export const python = '/usr/bin/python3';

// What must not outlive the tests, however they end.
const cleanups = new Set();
process.on('exit', () => cleanups.forEach((clean) => clean()));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** Runs clean when the process ends; gives a function that runs it now instead. */
function atEnd(clean) {
  cleanups.add(clean);
  return () => {
    if (cleanups.delete(clean)) clean();
  };
}

/** A folder that is gone when the tests end. */
export function makeFolder(name) {
  const path = mkdtempSync(join(tmpdir(), `sluice-${name}-`));
  return { path, remove: atEnd(() => rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })) };
}

/** The processes whose command line holds this text: all of one browser, told by its folder. */
function processesOf(text) {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && Number(pid) !== process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
    } catch {
      return false; // ended meanwhile
    }
  }).map(Number);
}

function killAll(text) {
  for (const pid of processesOf(text)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch { /* ended meanwhile */ }
  }
}

export const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

/** Polls until test() gives something true; throws after ms. */
export async function until(test, ms, what) {
  for (const end = Date.now() + ms; ;) {
    const got = await test();
    if (got) return got;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(50);
  }
}

const freePort = () => new Promise((done) => {
  const held = createServer().listen(0, '127.0.0.1', () => done({ port: held.address().port, free: () => new Promise((freed) => { held.close(freed); }) }));
});

/** So many different free ports: all are held until the last is found. */
export async function freePorts(n) {
  const all = await Promise.all(Array.from({ length: n }, freePort));
  await Promise.all(all.map((x) => x.free()));
  return all.map((x) => x.port);
}

/** A running server; ports may be given to start it again in the same place. */
export async function startServer({ host = '127.0.0.1', ports, args = [], env = {} } = {}) {
  if (!ports) {
    const [http, admin, media] = await freePorts(3);
    ports = { http, admin, media };
  }
  if (!existsSync(binary)) throw new Error(`no server at ${binary}: build it with make, or name another in SLUICE`);
  const child = spawn(binary, ['--insecure-dev', '--log-format', 'text',
    '--set', `http.listen=${host}:${ports.http}`, '--set', `admin.listen=127.0.0.1:${ports.admin}`, '--set', `media.listen=[::]:${ports.media}`, '--set', 'media.workers=2', ...args],
  { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const forget = atEnd(() => child.kill('SIGKILL'));
  const server = { child, ports, log: '', origin: `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${ports.http}`, admin: `http://127.0.0.1:${ports.admin}` };
  child.stdout.on('data', (d) => { server.log += d; });
  child.stderr.on('data', (d) => { server.log += d; });
  server.gone = new Promise((done) => child.on('exit', (code, signal) => {
    forget();
    done({ code, signal });
  }));
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`the server ended at once:\n${server.log}`);
    return fetch(`${server.admin}/livez`).then((r) => r.ok, () => false);
  }, 10000, 'the server is up');
  server.sessions = async () => (await (await fetch(`${server.admin}/api/v1/sessions`)).json()).sessions;
  server.stop = async (signal = 'SIGINT') => {
    child.kill(signal);
    return server.gone;
  };
  return server;
}

const FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--disable-dev-shm-usage', '--use-fake-device-for-media-stream=fps=30', '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required', '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding', '--disable-features=WebRtcHideLocalIpsWithMdns', '--allow-loopback-in-peer-connection'];

/** One Chromium; its pages are separate clients. without: flags to leave out. */
export async function startChromium(extra = [], { without = [], ...options } = {}) {
  const folder = makeFolder('chromium');
  const forget = atEnd(() => {
    killAll(folder.path);
    folder.remove();
  });
  const args = [...FLAGS.filter((f) => !without.includes(f)), ...extra];
  const context = await chromium.launchPersistentContext(folder.path, { headless: false, executablePath: '/usr/bin/chromium', args, ...options });
  return {
    context,
    /** A page of the server with the marker in it. */
    async page(origin) {
      const page = await context.newPage();
      await page.goto(`${origin}/#none`);
      await page.evaluate(marker);
      return page;
    },
    /** Its sessions end with their pages. */
    async closePages() {
      for (const page of context.pages().slice(1)) await page.close();
    },
    /** As a crash, a flat battery or the out-of-memory killer ends it: without a word to anyone. */
    async kill() {
      killAll(folder.path);
      await context.close().catch(() => {});
      forget();
    },
    async close() {
      await context.close().catch(() => {});
      forget();
    },
  };
}

/** A namespace joined to ours by a veth pair; null where that is not allowed. */
export function makeNamespace() {
  const id = process.pid % 10000, name = `sluice${id}`, net = `10.${77 + (id >> 8)}.${id & 255}`;
  const run = (...args) => spawnSync('ip', args, { encoding: 'utf8' }).status === 0;
  const remove = atEnd(() => {
    spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).stdout?.split('\n').filter(Boolean).forEach((pid) => process.kill(Number(pid), 'SIGKILL'));
    run('link', 'del', `${name}a`);
    run('netns', 'del', name);
  });
  const ok = run('netns', 'add', name) && run('link', 'add', `${name}a`, 'type', 'veth', 'peer', 'name', `${name}b`) && run('link', 'set', `${name}b`, 'netns', name) &&
    run('addr', 'add', `${net}.1/24`, 'dev', `${name}a`) && run('link', 'set', `${name}a`, 'up') &&
    run('netns', 'exec', name, 'ip', 'addr', 'add', `${net}.2/24`, 'dev', `${name}b`) && run('netns', 'exec', name, 'ip', 'link', 'set', `${name}b`, 'up') &&
    run('netns', 'exec', name, 'ip', 'link', 'set', 'lo', 'up');
  if (!ok) remove();
  return ok ? { name, address: `${net}.1`, remove, run: (command, args, ms) => runClient(['ip', 'netns', 'exec', name, command, ...args], ms) } : null;
}

/** Runs a client of clients/; resolves with its last line of output, parsed. */
export function runClient(argv, ms = 60000) {
  return new Promise((done, fail) => {
    const child = spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    const forget = atEnd(() => child.kill('SIGKILL'));
    let out = '', err = '';
    const timer = setTimeout(() => child.kill('SIGTERM'), ms);
    child.stdout.on('data', (d) => { out += d; });
    child.stderr.on('data', (d) => { err += d; });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      forget();
      try {
        done(JSON.parse(out.trim().split('\n').at(-1)));
      } catch {
        fail(new Error(`${argv.join(' ')} ended with ${code ?? signal}\n${out.slice(-2000)}\n${err.slice(-4000)}`));
      }
    });
  });
}

/** A page that publishes; prepare: [function, argument] runs in it first. */
export async function publishFrom(browser, server, options, prepare) {
  const page = await browser.page(server.origin);
  if (prepare) await page.evaluate(...prepare);
  const states = await page.evaluate((o) => window.publishMarked(o), options);
  assert.equal(states.at(-1), 'live', states.join(', '));
  return page;
}

/** A page that watches; each of prepare: [function, argument]. */
export async function watchFrom(browser, server, options, ...prepare) {
  const page = await browser.page(server.origin);
  for (const call of prepare) if (call) await page.evaluate(...call);
  await page.evaluate((o) => window.watchMarked(o), options);
  return page;
}

/**
 * What a file of tests plays on: a server, a Chromium, and (outside: true) a namespace for clients that refuse loopback, which is null where none can be made. All end after the file's last test.
 * test: a test after which no page is left. publish, watch: a page that does so (publishFrom, watchFrom). A file that starts the server anew puts the new one into stage.server.
 */
export async function openStage({ outside = false } = {}) {
  const stage = { ns: outside ? makeNamespace() : null, server: null, browser: null };
  after(async () => {
    await stage.browser?.close();
    await stage.server?.stop();
    stage.ns?.remove();
  });
  stage.server = await startServer(outside ? { host: '0.0.0.0' } : {});
  stage.browser = await startChromium();
  stage.test = (name, run) => plain(name, async (t) => {
    try {
      await run(t);
    } finally {
      await stage.browser.closePages();
    }
  });
  stage.longTest = process.env.TESTS_LONG ? stage.test : () => {}; // make test-long
  stage.publish = (options, prepare) => publishFrom(stage.browser, stage.server, options, prepare);
  stage.watch = (options, ...prepare) => watchFrom(stage.browser, stage.server, options, ...prepare);
  stage.outside = () => `http://${stage.ns.address}:${stage.server.ports.http}`;
  return stage;
}

export const client = (name) => join(here, 'clients', name);

/** What a page that watches has seen since `after`, once that is so many frames: a slow machine takes longer for them. Who waits in vain gets what there is, for assertSeen to tell. */
export async function seenFrames(page, frames, after = 0) {
  const enough = ([n, at]) => window.watched.seen.filter((f) => f.at >= at).length >= n;
  await page.waitForFunction(enough, [frames, after], { timeout: 5000 + 200 * frames, polling: 100 }).catch(() => {});
  return page.evaluate((at) => window.watchedSoFar(at), after);
}

/**
 * What every viewer must have seen: frames (at least so many, and most of what was painted meanwhile), nearly all of them whole, never an old one after a newer, sound.
 * first: ms until the first frame; delay: ms from paint to screen, the median; hz: the tone, where the viewer can tell.
 */
export function assertSeen(t, seen, { frames, first = 2000, delay = Infinity, hz, sound = true, whole = 0.95 }) {
  const text = JSON.stringify(seen);
  t.diagnostic(`${seen.good} of ${seen.frames} frames good, first after ${seen.firstAt} ms, ${Number.isFinite(delay) ? `glass to glass p50 ${seen.delayP50} ms, ` : ''}longest gap ${seen.longestGap} ms`);
  assert.ok(seen.frames >= frames, `few frames: ${text}`);
  assert.ok(seen.good >= whole * seen.frames, `frames are damaged: ${text}`);
  assert.equal(seen.back, 0, `frames went back: ${text}`);
  assert.ok(seen.lastId - seen.firstId >= 0.9 * frames, `the counter does not advance: ${text}`);
  assert.ok(seen.frames >= 0.5 * (seen.lastId - seen.firstId), `frames are missing: ${text}`);
  assert.ok(seen.firstAt <= first, `the first frame came late: ${text}`);
  assert.ok(seen.delayP50 < delay, `the delay is long: ${text}`);
  if (sound) assert.ok((seen.audioEnergy ?? seen.audioLevel) > 0, `no sound: ${text}`);
  if (sound && hz) assert.ok(Math.abs(seen.audioHz - hz) < 50, `another tone: ${text}`);
}

/** A JSON Web Token, HS256, good for an hour. */
export function signToken(secret, claims) {
  const part = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ exp: Math.floor(Date.now() / 1000) + 3600, ...claims })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
