// SPDX-License-Identifier: Apache-2.0
// prefix.test.mjs - the pages under a path of somebody else's site: behind nginx and Caddy with the lines of the README, everything that a browser asks for stays below the path, and works.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, makeFolder, openStage, startServer, until } from './lib.mjs';

const stage = await openStage(), { longTest } = stage;

const nginx = (folder, port, to) => `${process.getuid() ? '' : 'user root;'} daemon off; pid ${folder}/pid; error_log stderr; worker_processes 1; events {}
http {
  access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server {
    listen 127.0.0.1:${port};
    location /sluice/ {
      proxy_pass ${to}/;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Prefix /sluice;
    }
  }
}`;
const caddy = (more) => (folder, port, to) => `{
  admin off
  auto_https off
  storage file_system ${folder}
}
http://127.0.0.1:${port} {
  handle_path /sluice/* {
    reverse_proxy ${to} ${more}
  }
}`;

const run = (file) => ['caddy', 'run', '--adapter', 'caddyfile', '--config', file];
const PROXIES = [
  { name: 'nginx', config: nginx, argv: (file) => ['nginx', '-c', file] },
  { name: 'caddy', config: caddy('{\n      header_up X-Forwarded-Prefix /sluice\n    }'), argv: run },
  { name: 'caddy', silent: true, config: caddy(''), argv: run },
];

for (const { name, silent, config, argv } of PROXIES) {
  longTest(`under a path, behind ${name}${silent ? ' that does not say so' : ''}`, async (t) => {
    if (spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0) return t.skip(`${name} is not installed`);
    const [port] = await freePorts(1), base = `http://127.0.0.1:${port}/sluice/`, folder = makeFolder(name), file = join(folder.path, 'conf');
    const server = await startServer({ args: ['--set', 'http.trusted_proxies=127.0.0.1', ...(silent ? ['--set', `http.public_origin=${base}`] : [])] });
    writeFileSync(file, config(folder.path, port, server.origin));
    const proxy = spawn(argv(file)[0], argv(file).slice(1), { stdio: 'ignore', env: { ...process.env, HOME: folder.path, XDG_CONFIG_HOME: folder.path, XDG_DATA_HOME: folder.path } });
    t.after(async () => {
      proxy.kill();
      await server.stop();
      folder.remove();
    });
    await until(() => fetch(base).then((r) => r.ok, () => false), 20000, `${name} is up`);

    const asked = new Set(), faults = [];
    const open = async (path) => {
      const page = await stage.browser.context.newPage();
      page.on('request', (r) => asked.add(`${r.method()} ${r.url()}`));
      page.on('pageerror', (e) => faults.push(e.message));
      page.on('response', (r) => r.status() >= 400 && r.status() !== 409 && faults.push(`${r.status()} ${r.url()}`));
      await page.goto(base + path);
      return page;
    };
    const state = (page, want) => until(() => page.evaluate((w) => document.body.dataset.state === w, want), 20000, want);
    const publisher = await open('#publish/demo');
    await publisher.click('#go');
    await state(publisher, 'live');
    assert.match(await publisher.textContent('#endpoint'), new RegExp(`^${base}whip/demo`));
    const viewer = await open('#watch/demo');
    await viewer.waitForFunction(() => document.getElementById('video').videoWidth > 0 && document.getElementById('video').currentTime > 0, null, { timeout: 20000 });
    await publisher.click('#go');
    await until(async () => (await server.sessions()).every((s) => s.role !== 'publish'), 10000, 'the session URL ended the session');

    const people = [];
    for (const who of ['Ada', 'Grace']) {
      const page = await open('room.html#studio');
      await page.fill('#name', who);
      await page.waitForFunction(() => document.getElementById('preview').videoWidth > 0);
      await page.click('#door button[type=submit]');
      people.push(page);
    }
    const sees = (page, who) => page.waitForFunction((w) => [...document.querySelectorAll('.tile:not(.no-picture)')].some((x) => x.querySelector('b').textContent === w && x.querySelector('video').videoWidth > 0), who, { timeout: 30000 });
    await sees(people[0], 'Grace');
    await sees(people[1], 'Ada');
    assert.deepEqual([...asked].filter((a) => !a.split(' ')[1].startsWith(base) && !/ (data|blob):/.test(a)), []);
    assert.ok([...asked].some((a) => /\/session\/[^/]+\/sse$/.test(a)), 'events were read by their URL');
    assert.deepEqual(faults, []);
  });
}
