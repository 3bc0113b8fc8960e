"""The sequences of a rank that decode: alike in every iteration, so that sums and counts stand for all of them."""

from __future__ import annotations

import math
from heapq import heappop, heappush

from simulator.workload.requests import Request

_ROUNDING = 1e-9
"""Tokens: as near to a whole number is one."""


class Decoders:
    """Sequences that get ``advance`` tokens in every iteration, counted by ``tick``.

    ``context`` is the tokens whose keys and values they have, all together, and ``windowed`` the same with each counted
    up to ``window``. Nothing here costs more because there are many of them, unless ``advance`` is not 1.
    """

    def __init__(self, block: int, window: float, advance: float, grows: bool) -> None:
        self._block, self._window, self.advance, self._grows = block, window, advance, grows
        self.tick = 0
        self.context = 0.0
        self.windowed = 0.0
        self.below = 0
        """Sequences shorter than the window."""
        self.ahead = 0
        """Iterations whose blocks are taken already, though they are not over."""
        self.ends: dict[Request, int] = {}
        """Sequences, and the iteration after which each has all its tokens."""
        self._had: dict[Request, int] = {}
        """Tokens that sequences had generated when they joined."""
        self._due: list[tuple[int, int, Request]] = []
        self._crossings: list[tuple[int, int, Request]] = []
        self._stamps: dict[Request, int] = {}
        """By which push of a crossing a sequence that is shorter than the window is known."""
        self._pushes = 0
        self._even = advance == 1.0
        self._phases = [0] * block
        """Of the iterations modulo the block, in which so many sequences need a new block."""

    def __len__(self) -> int:
        return len(self.ends)

    def __contains__(self, request: Request) -> bool:
        return request in self.ends

    def join(self, request: Request) -> None:
        """Let a sequence decode from the next iteration on; the keys and values of its ``prompt`` are there."""
        tick, left = self.tick, request.output - request.generated
        request.joined, self._had[request] = tick, request.generated
        steps = left if self._even else math.ceil(left / self.advance - _ROUNDING)
        end = self.ends[request] = tick + steps
        self._pushes += 1
        heappush(self._due, (end, self._pushes, request))
        self.context += request.prompt
        if self._even:
            self._phases[(tick - request.prompt) % self._block] += 1
        if self._window < math.inf:
            self.windowed += min(request.prompt, self._window)
            if request.prompt < self._window:
                self.below += 1
                self._stamps[request] = self._pushes
                crossing = tick + math.ceil((self._window - request.prompt) / self.advance - _ROUNDING)
                heappush(self._crossings, (crossing, self._pushes, request))

    def leave(self, request: Request) -> int:
        """Take a sequence out, its ``generated`` brought up to now; return the blocks that it holds."""
        del self.ends[request]
        done = self.tick - request.joined
        length = request.prompt + (done if self._even else self.advance * done)
        if self._even:
            self._phases[(request.joined - request.prompt) % self._block] -= 1
        if self._window < math.inf:
            short = self._stamps.pop(request, 0) > 0
            self.windowed -= length if short else self._window
            self.below -= short
        self.context = self.context - length if self.ends else 0.0
        if not self.ends:
            self.windowed, self.below = 0.0, 0
        blocks = self._holds(request, done + self.ahead)
        request.generated = self.generated(request)
        del self._had[request]
        return blocks

    def generated(self, request: Request, more: int = 0) -> int:
        """Tokens that a sequence here has generated, ``more`` iterations on."""
        done = self.tick + more - request.joined
        tokens = done if self._even else math.floor(self.advance * done + _ROUNDING)
        return min(request.output, self._had[request] + tokens)

    def given(self, iterations: int) -> int:
        """Tokens that all sequences get in so many iterations."""
        return sum(self.generated(request, iterations) - self.generated(request) for request in self.ends)

    def length(self, request: Request) -> int:
        """Tokens of a sequence here whose keys and values are there."""
        done = self.tick - request.joined
        return request.prompt + (done if self._even else math.floor(self.advance * done + _ROUNDING))

    def _holds(self, request: Request, done: int) -> int:
        if not self._grows:
            return request.blocks
        if self._even:
            return -(-(request.prompt + done) // self._block)
        # the last iteration may give more than is left, which nobody keeps
        length = min(request.prompt + self.advance * done, request.input + request.output)
        return math.ceil(length / self._block - _ROUNDING)

    # -- what comes -----------------------------------------------------------------------------------------------

    def next_end(self) -> int:
        """Iterations until the first sequence is through."""
        due, ends = self._due, self.ends
        while ends.get(due[0][2]) != due[0][0]:
            heappop(due)
        return due[0][0] - self.tick

    def next_crossing(self) -> float:
        """Iterations until the first sequence is as long as the window; infinite when none will be."""
        crossings = self._crossings
        while crossings and self._stamps.get(crossings[0][2]) != crossings[0][1]:
            heappop(crossings)
        return crossings[0][0] - self.tick if crossings else math.inf

    def need(self, iterations: int = 1) -> int:
        """New blocks for the next iterations, beyond those taken ahead."""
        if not self._grows or iterations <= self.ahead:
            return 0
        start, count = self.tick + self.ahead, iterations - self.ahead
        if not self._even:
            return self._uneven(self.ahead, iterations)
        phases, block = self._phases, self._block
        if count == 1:
            return phases[start % block]
        cycles, rest = divmod(count, block)
        first = start % block
        part = sum(phases[first : first + rest]) + sum(phases[: max(0, first + rest - block)])
        return cycles * len(self.ends) + part

    def _uneven(self, first: int, last: int) -> int:
        tick = self.tick
        return sum(
            self._holds(request, tick + last - request.joined) - self._holds(request, tick + first - request.joined)
            for request in self.ends
        )

    def runway(self, available: int, most: int) -> int:
        """Iterations, at most ``most``, for which ``available`` blocks suffice; those taken ahead count."""
        if not self._grows or not self.ends:
            return most
        if not self._even:
            return self._uneven_runway(available, most)
        phases, block, count = self._phases, self._block, len(self.ends)
        cycles, left = divmod(available, count)
        done = self.ahead + cycles * block
        if done >= most:
            return most
        place = (self.tick + self.ahead) % block
        while done < most and phases[place] <= left:
            left -= phases[place]
            done += 1
            place = (place + 1) % block
        return done

    def _uneven_runway(self, available: int, most: int) -> int:
        low, high = self.ahead, most
        while low < high:
            middle = (low + high + 1) // 2
            if self._uneven(self.ahead, middle) <= available:
                low = middle
            else:
                high = middle - 1
        return low

    def pass_by(self, iterations: int) -> None:
        """Let so many iterations pass; their blocks are taken."""
        grown = iterations if self._even else self.advance * iterations
        self.context += grown * len(self.ends)
        self.tick += iterations
        self.ahead = 0
        if self.below:
            self.windowed += grown * self.below
            self._cross()

    def _cross(self) -> None:
        crossings = self._crossings
        while crossings and crossings[0][0] <= self.tick:
            _, stamp, request = heappop(crossings)
            if self._stamps.get(request) == stamp:
                del self._stamps[request]
                done = self.tick - request.joined
                self.windowed += self._window - (request.prompt + self.advance * done)
                self.below -= 1

    def through(self) -> list[Request]:
        """Return the sequences that have all their tokens now, by when they joined; they are still here."""
        due, ends, tick = self._due, self.ends, self.tick
        done: list[Request] = []
        while due and due[0][0] <= tick:
            end, _, request = heappop(due)
            if ends.get(request) == end and request not in done:
                done.append(request)
        return done
