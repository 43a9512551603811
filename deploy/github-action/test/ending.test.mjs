// What the part after the job does, with the real program.

import assert from 'node:assert/strict';
import { appendFileSync, cpSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning } from '../larder.mjs';
import { Job, LARDER, artifact, commands, download, kill, upload } from './job.mjs';

const alone = { binary: LARDER, upstream: 'none' };

async function until(holds) {
  while (!holds()) await sleep(10);
}

test('it says what was saved, in the log and in the summary, and Larder ends', async (t) => {
  const job = new Job(t);
  await job.main({ ...alone, config: 'LARDER_LOG__LEVEL=info' });
  await upload(job.env.TURBO_API, 'x'.repeat(2048));
  for (const hash of [undefined, undefined, 'feed']) await (await download(job.env.TURBO_API, hash)).arrayBuffer();
  const { code, stdout, stderr } = await job.post(alone);
  assert.deepEqual([code, stderr, commands(stdout, 'warning')], [0, '', []]);
  assert.match(job.summary, /^### Larder\n/);
  for (const row of ['asked for | 3', 'found here | 2 (67 %)', 'not found here | 1', 'from afar | 4.0 KiB', 'stood for | 2 min 2 s']) {
    assert.ok(job.summary.includes(`${row} |`), job.summary);
  }
  assert.match(job.summary, /Nothing was here when the job began/);
  assert.ok(stdout.includes(job.summary.trim()));
  await assert.rejects(download(job.env.TURBO_API));
  assert.match(job.log, /everything finished/);
});

test('a job that asked for nothing hears why that may be', async (t) => {
  const job = new Job(t);
  await job.main(alone);
  await job.post(alone);
  assert.match(job.summary, /lacks TURBO_TOKEN or TURBO_TEAM/);
});

test('without a summary it is said in the log alone', async (t) => {
  const job = new Job(t);
  await job.main(alone);
  const { stdout } = await job.post({ ...alone, summary: 'false' });
  assert.equal(job.summary, '');
  assert.match(stdout, /### Larder/);
});

test('an upload under way is finished first', async (t) => {
  const job = new Job(t);
  await job.main(alone);
  const headers = { Authorization: 'Bearer any', 'Content-Type': 'application/octet-stream', 'Content-Length': 8, Expect: '100-continue' };
  const request = http.request(artifact(job.env.TURBO_API), { method: 'PUT', headers, agent: false });
  const answered = new Promise((resolve, reject) => request.once('response', resolve).once('error', reject));
  await new Promise((resolve) => request.once('continue', resolve));
  request.write('half');
  const ending = job.post(alone);
  await until(() => job.log.includes('finishing what is under way'));
  request.end('half');
  assert.equal((await answered).statusCode, 202);
  const { code, stdout } = await ending;
  assert.deepEqual([code, commands(stdout, 'warning')], [0, []]);
});

test('one that ended before the job is a warning with the last that it wrote', async (t) => {
  const job = new Job(t);
  await job.main(alone);
  appendFileSync(job.state.log, 'the last words\n');
  kill(Number(job.state.pid));
  await until(() => !isRunning(job.state.pid, job.state.socket));
  const { code, stdout } = await job.post(alone);
  assert.equal(code, 0);
  assert.match(commands(stdout, 'warning').join(), /ended before the job did/);
  assert.match(stdout, /the last words/);
});

test('another process that has its number by now is left alone', async (t) => {
  const job = new Job(t);
  await job.main(alone);
  kill(Number(job.state.pid));
  const other = spawn('sleep', ['600']);
  t.after(() => other.kill('SIGKILL'));
  appendFileSync(path.join(job.folder, 'state'), `pid<<end\n${other.pid}\nend\n`);
  const { code, stdout } = await job.post(alone);
  assert.equal(code, 0);
  assert.match(commands(stdout, 'warning').join(), /ended before the job did/);
  assert.deepEqual([other.exitCode, other.signalCode], [null, null]);
});

test('a job that is cancelled while it starts leaves nothing behind', async (t) => {
  const job = new Job(t);
  const program = path.join(job.folder, 'larder');
  writeFileSync(program, '#!/bin/sh\nwhile :; do sleep 0.1; done\n', { mode: 0o755 });
  const { child, ended } = job.begin('main.mjs', { ...alone, binary: program });
  await until(() => job.state.beganEmpty && isRunning(job.state.pid, job.state.socket));
  child.kill('SIGINT');
  await ended;
  assert.ok(isRunning(job.state.pid, job.state.socket));
  assert.equal((await job.post(alone)).code, 0);
  assert.ok(!isRunning(job.state.pid, job.state.socket));
});

test('where nothing runs after the job, the runner finds what ends it', { skip: process.platform !== 'linux' }, async (t) => {
  const mark = `RUNNER_TRACKING_ID=github_${process.pid}_${Date.now()}`;
  const job = new Job(t, { variables: Object.fromEntries([mark.split('=')]) });
  await job.main(alone);
  const isLeft = (pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark);
    } catch {
      return false;
    }
  };
  // A runner that is not root cannot look into Larder's own.
  const left = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && pid !== job.state.pid && isLeft(pid));
  assert.equal(left.length, 1);
  process.kill(Number(left[0]), 'SIGKILL');
  await until(() => !isRunning(job.state.pid, job.state.socket));
});

test('of what is kept between jobs, v1 is enough for hits', async (t) => {
  const [first, second] = [new Job(t), new Job(t)];
  const kept = (job) => path.join(job.folder, 'kept');
  await first.main({ ...alone, 'data-dir': kept(first) });
  await upload(first.env.TURBO_API, 'of the first');
  await first.post(alone);
  cpSync(path.join(kept(first), 'v1'), path.join(kept(second), 'v1'), { recursive: true });
  await second.main({ ...alone, 'data-dir': kept(second) });
  assert.equal(await (await download(second.env.TURBO_API)).text(), 'of the first');
  await second.post(alone);
  assert.doesNotMatch(second.summary, /Nothing was here/);
});

test('no line of a log is taken for a command', async (t) => {
  const job = new Job(t);
  await job.main(alone);
  kill(Number(job.state.pid));
  await until(() => !isRunning(job.state.pid, job.state.socket));
  appendFileSync(job.state.log, '::error::not ours\n');
  const { stdout } = await job.post(alone);
  assert.match(stdout, /not ours/);
  assert.deepEqual(commands(stdout, 'error'), []);
});
