// A job as a runner would run it, as far as an action sees: files, variables, one step after another.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const LARDER = path.resolve(process.env.LARDER ?? 'target/debug/larder');
const ACTION = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const FILES = { env: 'GITHUB_ENV', state: 'GITHUB_STATE', output: 'GITHUB_OUTPUT', summary: 'GITHUB_STEP_SUMMARY' };

export class Job {
  /** Ends with the test, and whatever was started in it. */
  constructor(test, { variables = {}, temp = 'temp' } = {}) {
    this.folder = mkdtempSync(path.join(os.tmpdir(), 'job-'));
    this.variables = { PATH: process.env.PATH, HOME: this.folder, ...variables };
    this.variables.RUNNER_TEMP = path.join(this.folder, temp);
    mkdirSync(this.variables.RUNNER_TEMP, { recursive: true });
    for (const [name, variable] of Object.entries(FILES)) {
      this.variables[variable] = path.join(this.folder, name);
      writeFileSync(this.variables[variable], '');
    }
    test.after(() => {
      const { pid } = this.state;
      if (pid) kill(Number(pid));
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  main(inputs) {
    return this.run('main.mjs', inputs);
  }

  /** With what the main part has left. */
  post(inputs) {
    const left = Object.entries(this.state).map(([name, value]) => [`STATE_${name}`, value]);
    return this.run('post.mjs', inputs, Object.fromEntries(left));
  }

  async run(script, inputs = {}, more = {}) {
    return this.begin(script, inputs, more).ended;
  }

  begin(script, inputs = {}, more = {}) {
    const given = Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]);
    const env = { ...this.variables, ...this.env, ...Object.fromEntries(given), ...more };
    const child = spawn(process.execPath, [path.join(ACTION, script)], { env, cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (piece) => (stdout += piece));
    child.stderr.on('data', (piece) => (stderr += piece));
    const ended = new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
    return { child, ended };
  }

  get env() {
    return this.told('env');
  }

  get state() {
    return this.told('state');
  }

  get output() {
    return this.told('output');
  }

  get summary() {
    return this.read('summary');
  }

  /** What Larder wrote. */
  get log() {
    return existsSync(this.state.log) ? readFileSync(this.state.log, 'utf8') : '';
  }

  /** Variables as the runner reads them. */
  told(name) {
    const found = this.read(name).matchAll(/^(\w+)<<(\S+)\n([^]*?)\n\2$/gm);
    return Object.fromEntries([...found].map(([, key, , value]) => [key, value]));
  }

  read(name) {
    const file = path.join(this.folder, name);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }
}

/** Larder with what it runs. */
export function kill(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** A line of its own, unlike those of others that are quoted. */
export function commands(stdout, name) {
  const quoted = /^::stop-commands::(\S+)\n[^]*?^::\1::$/gm;
  return stdout.replace(quoted, '').split('\n').filter((line) => line.startsWith(`::${name}::`));
}

export const HASH = '0123456789abcdef';

export function artifact(api, hash = HASH) {
  return `${api}/v8/artifacts/${hash}?slug=acme`;
}

export function upload(api, body, hash = HASH) {
  const headers = { Authorization: 'Bearer any', 'Content-Type': 'application/octet-stream', 'x-artifact-duration': '61000' };
  return fetch(artifact(api, hash), { method: 'PUT', headers, body });
}

export function download(api, hash = HASH) {
  return fetch(artifact(api, hash), { headers: { Authorization: 'Bearer any' } });
}
