// After the job's steps: says what was saved, and has Larder end. Nothing here fails a job.

import { ask, isRunning, stop, tail } from './larder.mjs';
import { addToSummary, input, quote, say, state, warn } from './runner.mjs';
import { savings } from './savings.mjs';

const pid = Number(state('pid'));
// Otherwise none was started.
if (pid) {
  try {
    await finish();
  } catch (error) {
    warn(`Larder's end: ${error.message}`);
  }
}

async function finish() {
  const socket = state('socket');
  if (!isRunning(pid, socket)) {
    warn('Larder ended before the job did. What was asked of it since then was built instead.');
    quote(tail(state('log')));
    return;
  }
  await tellSavings(socket);
  if (!(await stop(pid, socket))) {
    warn('Larder did not end in its time, and was ended.');
    quote(tail(state('log')));
  }
}

async function tellSavings(socket) {
  const told = await ask(socket, '/api/v1/stats');
  if (told?.status !== 200) return say('Larder does not say what was saved.');
  const text = savings(JSON.parse(told.text), { beganEmpty: state('beganEmpty') === 'true' });
  say(text);
  if (input('summary') !== 'false') addToSummary(text);
}
