// A Larder that outlives the step which starts it: its start, what it says, its end.

import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

// It serves within a tenth of a second, unless the machine does much else.
const LONGEST_START = 20_000;
const BETWEEN_LOOKS = 50;
// It is on this machine, and what it is asked is small.
const LONGEST_ANSWER = 3_000;
// Its own `server.shutdown_grace` is 30 s.
const LONGEST_END = 40_000;
const TAIL_LINES = 40;

/** Starts it in the background and waits until it takes work: its process, and where it serves. */
export async function start(program, flags, { environment, log, socket }) {
  const output = openSync(log, 'a', 0o600);
  const child = spawn(program, ['serve', ...flags], { detached: true, env: environment, stdio: ['ignore', output, output] });
  closeSync(output);
  let ended;
  child.once('error', (error) => (ended = `it cannot be run: ${error.message}`));
  child.once('exit', (code, signal) => (ended ??= signal ? `it ended by ${signal}` : `it ended with exit code ${code}`));
  try {
    const api = await untilReady(log, socket, () => ended);
    child.unref();
    return { pid: child.pid, api };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

async function untilReady(log, socket, ended) {
  const last = Date.now() + LONGEST_START;
  while (Date.now() < last) {
    if (ended()) throw new Error(ended());
    const api = announced(readFileSync(log, 'utf8'));
    if (api && (await ask(socket, '/readyz'))?.status === 200) return api;
    await sleep(BETWEEN_LOOKS);
  }
  throw new Error(`it took no work within ${LONGEST_START / 1000} s`);
}

/** The line for turbo that it prints once it listens: at which port, only it knows. */
function announced(output) {
  return /export TURBO_API=(https?:\/\/[^\s"'\\]+)/.exec(output)?.[1];
}

/** What its admin listener answers; undefined where nobody does. */
export function ask(socketPath, path) {
  return new Promise((resolve) => {
    const options = { socketPath, path, headers: { Host: 'localhost' }, timeout: LONGEST_ANSWER, agent: false };
    const request = http.get(options, async (answer) => {
      const pieces = [];
      try {
        for await (const piece of answer) pieces.push(piece);
        resolve({ status: answer.statusCode, text: Buffer.concat(pieces).toString() });
      } catch {
        resolve(undefined);
      }
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', () => resolve(undefined));
  });
}

/** Has it finish what runs and end; whether it did. */
export async function stop(pid) {
  process.kill(pid, 'SIGTERM');
  const last = Date.now() + LONGEST_END;
  while (!isGone(pid)) {
    if (Date.now() > last) {
      process.kill(pid, 'SIGKILL');
      return false;
    }
    await sleep(BETWEEN_LOOKS);
  }
  return true;
}

function isGone(pid) {
  try {
    process.kill(pid, 0);
  } catch {
    return true;
  }
  // In a container without an init nobody takes notice of its end, and its number stays.
  const stat = `/proc/${pid}/stat`;
  return existsSync(stat) && /\) Z /.test(readFileSync(stat, 'utf8'));
}

/** The last that it wrote. */
export function tail(log) {
  if (!existsSync(log)) return '';
  return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}
