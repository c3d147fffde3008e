// SPDX-License-Identifier: Apache-2.0
// lib.mjs - starts a server and browsers for the end-to-end tests, and namespaces for clients that refuse loopback.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const here = dirname(fileURLToPath(import.meta.url));
export const binary = process.env.SLUICE || join(here, '../../build/sluice');
export const marker = readFileSync(join(here, 'marker.js'), 'utf8');

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

export function freePort() {
  return new Promise((done) => {
    const s = createServer().listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => done(port));
    });
  });
}

/** A running server; ports may be given to start it again in the same place. */
export async function startServer({ host = '127.0.0.1', ports, args = [], env = {} } = {}) {
  ports ||= { http: await freePort(), admin: await freePort(), media: await freePort() };
  const child = spawn(binary, ['--insecure-dev', '--log-format', 'text',
    '--set', `http.listen=${host}:${ports.http}`, '--set', `admin.listen=127.0.0.1:${ports.admin}`, '--set', `media.listen=[::]:${ports.media}`, '--set', 'media.workers=2', ...args],
  { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const server = { child, ports, log: '', origin: `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${ports.http}`, admin: `http://127.0.0.1:${ports.admin}` };
  child.stdout.on('data', (d) => { server.log += d; });
  child.stderr.on('data', (d) => { server.log += d; });
  server.gone = new Promise((done) => child.on('exit', (code, signal) => done({ code, signal })));
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

/** One Chromium; its pages are separate clients. */
export async function startChromium(extra = [], options = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-chromium-'));
  const context = await chromium.launchPersistentContext(dir, { headless: false, executablePath: '/usr/bin/chromium', args: [...FLAGS, ...extra], ...options });
  return {
    context,
    async page(origin) {
      const page = await context.newPage();
      await page.goto(`${origin}/icon.svg`);
      await page.goto(`${origin}/#none`);
      await page.evaluate(marker);
      return page;
    },
    async close() {
      await context.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A namespace joined to ours by a veth pair; null where that is not allowed. */
export function makeNamespace() {
  const name = `sluice${process.pid % 10000}`;
  const run = (...args) => spawnSync('ip', args, { encoding: 'utf8' }).status === 0;
  const ok = run('netns', 'add', name) && run('link', 'add', `${name}a`, 'type', 'veth', 'peer', 'name', `${name}b`) && run('link', 'set', `${name}b`, 'netns', name) &&
    run('addr', 'add', '10.77.7.1/24', 'dev', `${name}a`) && run('link', 'set', `${name}a`, 'up') &&
    run('netns', 'exec', name, 'ip', 'addr', 'add', '10.77.7.2/24', 'dev', `${name}b`) && run('netns', 'exec', name, 'ip', 'link', 'set', `${name}b`, 'up') &&
    run('netns', 'exec', name, 'ip', 'link', 'set', 'lo', 'up');
  const ns = {
    name, address: '10.77.7.1',
    /** Runs a client inside; resolves with its last line of output, parsed. */
    run(command, args, ms = 60000) {
      return new Promise((done, fail) => {
        const child = spawn('ip', ['netns', 'exec', name, command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
        let out = '', err = '';
        const timer = setTimeout(() => child.kill('SIGKILL'), ms);
        child.stdout.on('data', (d) => { out += d; });
        child.stderr.on('data', (d) => { err += d; });
        child.on('exit', (code) => {
          clearTimeout(timer);
          try {
            done(JSON.parse(out.trim().split('\n').at(-1)));
          } catch {
            fail(new Error(`${command} ${args.join(' ')} ended with ${code}\n${out.slice(-2000)}\n${err.slice(-4000)}`));
          }
        });
      });
    },
    remove() {
      run('link', 'del', `${name}a`);
      run('netns', 'del', name);
    },
  };
  if (!ok) ns.remove();
  return ok ? ns : null;
}
