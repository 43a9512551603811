// What the main part does, with the real program.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { HASH, Job, LARDER, artifact, commands, download, upload } from './job.mjs';

const alone = { binary: LARDER, upstream: 'none' };

/** Something that answers every request in one way, until the test ends. */
async function origin(test, answer) {
  const server = http.createServer(answer).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

test('it serves what turbo asks for, and later steps find it', async (t) => {
  const job = new Job(t);
  const { code, stdout, stderr } = await job.main(alone);
  assert.deepEqual([code, stderr, commands(stdout, 'warning')], [0, '', []]);
  assert.match(job.env.TURBO_API, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(job.output.api, job.env.TURBO_API);
  assert.deepEqual(Object.keys(job.env), ['TURBO_API']);
  assert.equal((await upload(job.env.TURBO_API, 'what a task made')).status, 202);
  const answer = await download(job.env.TURBO_API);
  assert.equal(await answer.text(), 'what a task made');
  assert.match(answer.headers.get('cache-status'), /larder; hit/);
});

test('a token is masked before all else and stands nowhere but in its variable', async (t) => {
  const job = new Job(t);
  const token = 'tok%en-8c1f';
  const { stdout, stderr } = await job.main({ ...alone, token, team: 'acme' });
  assert.equal(stdout.split('\n')[0], '::add-mask::tok%25en-8c1f');
  assert.equal(job.env.TURBO_TOKEN, token);
  assert.equal(job.env.TURBO_TEAM, 'acme');
  await fetch(artifact(job.env.TURBO_API), { headers: { Authorization: `Bearer ${token}` } });
  const after = await job.post({ ...alone, token });
  const environment = readFileSync(job.state.log, 'utf8');
  for (const text of [stdout, stderr, after.stdout, after.stderr, environment, job.read('state'), job.summary]) {
    assert.ok(!text.includes(token), text);
  }
});

test("the job's tokens are no business of Larder's process", async (t) => {
  const job = new Job(t, { variables: { TURBO_TOKEN: 'secret', ACTIONS_RUNTIME_TOKEN: 'secret', LARDER_LOG__LEVEL: 'debug' } });
  const program = path.join(job.folder, 'larder');
  writeFileSync(program, `#!/bin/sh\nenv >"${job.folder}/seen"\nexec "${LARDER}" "$@"\n`, { mode: 0o755 });
  await job.main({ ...alone, binary: program, token: 'secret' });
  const seen = job.read('seen');
  assert.ok(!seen.includes('secret'), seen);
  assert.match(seen, /^LARDER_LOG__LEVEL=debug$/m);
});

test('a team is an id where it looks like one', async (t) => {
  const job = new Job(t);
  await job.main({ ...alone, team: 'team_1' });
  assert.equal(job.env.TURBO_TEAMID, 'team_1');
  assert.ok(!('TURBO_TEAM' in job.env));
});

test('where a proxy is set, none is asked for what is on this machine', async (t) => {
  const job = new Job(t, { variables: { http_proxy: 'http://127.0.0.1:9', NO_PROXY: 'corp.example' } });
  await job.main(alone);
  assert.equal(job.env.NO_PROXY, 'corp.example,127.0.0.1');
  assert.equal(job.env.no_proxy, 'corp.example,127.0.0.1');
});

test('one that does not start is a warning, and the job goes on as it was', async (t) => {
  const job = new Job(t);
  const { code, stdout } = await job.main({ ...alone, config: 'LARDER_UPLOAD__SIZE=1' });
  assert.equal(code, 0);
  assert.match(commands(stdout, 'warning').join(), /did not start: it ended with exit code 2/);
  assert.match(stdout, /unknown variable LARDER_UPLOAD__SIZE/);
  assert.deepEqual([job.env, job.state.pid, job.output], [{}, '', { api: '' }]);
  assert.deepEqual(await job.post(alone), { code: 0, stdout: '', stderr: '' });
});

test('one that does not start fails the job where it is asked to', async (t) => {
  const job = new Job(t);
  const { code, stdout } = await job.main({ ...alone, config: 'LARDER_UPLOAD__SIZE=1', strict: 'true' });
  assert.equal(code, 1);
  assert.match(commands(stdout, 'error').join(), /did not start/);
  assert.deepEqual(job.env, {});
});

test('a program that is not there is a warning that says what to do', async (t) => {
  const nowhere = new Job(t, { variables: { PATH: '/nowhere' } });
  assert.match((await nowhere.main({})).stdout, /^::warning::.*no `larder` on PATH; say `binary`/m);
  const job = new Job(t);
  assert.match((await job.main({ binary: 'gone' })).stdout, /^::warning::.*gone is no program/m);
  assert.match((await job.main({ binary: LARDER, url: 'http://x' })).stdout, /^::warning::.*two answers/m);
});

test('a line of config that is none is a warning', async (t) => {
  const job = new Job(t);
  const { code, stdout } = await job.main({ ...alone, config: 'tier.disk.capacity = "1GiB"' });
  assert.deepEqual([code, commands(stdout, 'warning').length], [0, 1]);
});

test('the program is found on PATH, and config reaches it', async (t) => {
  const job = new Job(t);
  const folder = path.join(job.folder, 'bin');
  mkdirSync(folder);
  symlinkSync(LARDER, path.join(folder, 'larder'));
  job.variables.PATH = `/nowhere:${folder}:${process.env.PATH}`;
  const config = '# less than it may be\n\nLARDER_LOG__FORMAT=json\nLARDER_UPLOAD__MAX_SIZE=4';
  const { stdout } = await job.main({ upstream: 'none', config });
  assert.deepEqual(commands(stdout, 'warning'), []);
  assert.equal((await upload(job.env.TURBO_API, 'more than four')).status, 413);
});

test('what is fetched is run where it is what was expected, by itself or in an archive', async (t) => {
  const job = new Job(t);
  mkdirSync(path.join(job.folder, 'larder-1.0'));
  copyFileSync(LARDER, path.join(job.folder, 'larder-1.0', 'larder'));
  execFileSync('tar', ['-czf', 'larder.tar.gz', 'larder-1.0'], { cwd: job.folder });
  const files = { '/larder.tar.gz': path.join(job.folder, 'larder.tar.gz'), '/larder': LARDER };
  const server = await origin(t, (request, response) => response.end(readFileSync(files[request.url])));
  for (const [place, file] of Object.entries(files)) {
    const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
    const fetched = new Job(t);
    const { stdout } = await fetched.main({ url: server + place, sha256, upstream: 'none' });
    assert.deepEqual(commands(stdout, 'warning'), [], place);
    assert.equal((await download(fetched.env.TURBO_API)).status, 404);
  }
  for (const sha256 of ['0'.repeat(64), '']) {
    const { stdout } = await job.main({ url: `${server}/larder`, sha256, upstream: 'none' });
    assert.match(stdout, /^::warning::.*(is not what was expected|wants the `sha256`)/m);
    assert.deepEqual(job.state, {});
  }
});

test("the upstream is the one that is named, else the job's own remote cache", async (t) => {
  const asked = [];
  const server = await origin(t, (request, response) => {
    asked.push(request.url);
    response.writeHead(404).end();
  });
  for (const [inputs, variables] of [
    [{ upstream: `${server}/named` }, { TURBO_API: 'http://127.0.0.1:9' }],
    [{}, { TURBO_API: `${server}/inherited`, TURBO_TOKEN: 'any' }],
    [{ config: `LARDER_UPSTREAM__URL=${server}/configured` }, { TURBO_API: 'http://127.0.0.1:9' }],
  ]) {
    const job = new Job(t, { variables });
    await job.main({ binary: LARDER, ...inputs });
    assert.equal((await download(job.env.TURBO_API)).status, 404);
  }
  assert.deepEqual(asked, ['named', 'inherited', 'configured'].map((base) => `/${base}/v8/artifacts/${HASH}?slug=acme`));
});

test('two jobs on one machine have a Larder each', async (t) => {
  const [one, other] = [new Job(t), new Job(t)];
  await Promise.all([one.main(alone), other.main(alone)]);
  await upload(one.env.TURBO_API, 'of one');
  assert.equal((await download(one.env.TURBO_API)).status, 200);
  assert.equal((await download(other.env.TURBO_API)).status, 404);
});

test('two jobs that name one folder have a Larder each, and the later one hears that nothing of its own is kept', async (t) => {
  const [one, other] = [new Job(t), new Job(t)];
  const shared = { ...alone, 'data-dir': path.join(one.folder, 'kept') };
  await one.main(shared);
  const { code, stdout } = await other.main(shared);
  assert.deepEqual([code, commands(stdout, 'warning')], [0, []]);
  assert.match(stdout, /this run has a temporary directory/);
  await upload(one.env.TURBO_API, 'of one');
  assert.equal((await download(other.env.TURBO_API)).status, 404);
  await other.post(shared);
  assert.deepEqual(readdirSync(path.dirname(other.state.socket)).filter((name) => name.startsWith('larder-exec')), []);
});

test('a token for the server of turbo.json is not sent to another', async (t) => {
  const job = new Job(t);
  writeFileSync(path.join(job.folder, 'turbo.json'), '{ "remoteCache": { "apiUrl": "https://cache.example" } }');
  const { code, stdout } = await job.main({ binary: LARDER, token: 'secret-of-example' });
  assert.deepEqual([code, job.env], [0, {}]);
  assert.match(stdout, /turbo\.json names a server/);
  assert.equal(commands(stdout, 'warning').length, 1);
});

test('a runner whose folders have long names is no obstacle', async (t) => {
  const job = new Job(t, { temp: 'n'.repeat(120) });
  const { stdout } = await job.main(alone);
  assert.deepEqual(commands(stdout, 'warning'), []);
  assert.ok(existsSync(job.state.socket));
});
