"""Where boxes will be: a Kalman filter for many boxes at once, in seconds instead of frames.

ByteTrack's filter has eight numbers a box, but its noise couples each coordinate with nothing but its own
velocity. So it is four filters of two numbers each, which need no matrices. Time steps are taken from the
time stamps: the same settings serve 30 frames a second and one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

_MEASURED = 0.05
"""Spread of a measured coordinate, in heights of the box (ByteTrack's 1/20)."""
_FIRST_SPEED = 0.5
"""Spread of the unknown speed of a new box, in heights per second: a walk is about 0.8."""
_CHANGE = 0.35
"""How speed wanders, in heights per second in one second."""
_GROWTH = 0.3
"""Width and height change more slowly than the place, by this factor."""
_SLOW = np.array([1.0, 1.0, _GROWTH, _GROWTH])


@dataclass(slots=True, eq=False)
class Motion:
    """State of N boxes; coordinates are centre x, centre y, width, height.

    Attributes:
        place: ``[N, 4]``.
        speed: ``[N, 4]``, per second.
        cov: ``[3, N, 4]``: variance of place, covariance with speed, variance of speed.
    """

    place: Numbers
    speed: Numbers
    cov: Numbers

    @classmethod
    def empty(cls) -> Motion:
        """No box."""
        return cls(np.zeros((0, 4)), np.zeros((0, 4)), np.zeros((3, 0, 4)))

    def corners(self) -> Numbers:
        """``[N, 4]``: left, top, right, bottom."""
        half = np.maximum(self.place[:, 2:], 1e-6) / 2
        return np.concatenate([self.place[:, :2] - half, self.place[:, :2] + half], axis=1)

    def predict(self, seconds: float) -> None:
        """Lets time pass."""
        noise = (_CHANGE * self._heights() * _SLOW) ** 2
        variance, shared, speed = self.cov
        self.place = self.place + self.speed * seconds
        self.cov = np.stack(
            [
                variance + 2 * seconds * shared + seconds**2 * speed + noise * seconds**3 / 3,
                shared + seconds * speed + noise * seconds**2 / 2,
                speed + noise * seconds,
            ]
        )

    def update(self, which: npt.NDArray[np.int64], corners: Numbers) -> None:
        """Takes new measurements ``[M, 4]`` of the boxes at these places."""
        variance, shared, speed = self.cov[:, which]
        total = variance + (_MEASURED * self._heights()[which]) ** 2
        surprise = measured(corners) - self.place[which]
        gain, push = variance / total, shared / total
        self.place[which] += gain * surprise
        self.speed[which] += push * surprise
        self.cov[:, which] = np.stack([(1 - gain) * variance, (1 - gain) * shared, speed - push * shared])

    def add(self, corners: Numbers) -> None:
        """New boxes at the end, at rest."""
        place = measured(corners)
        height = place[:, 3:4]
        first = np.stack(
            [
                np.broadcast_to((_MEASURED * height) ** 2, place.shape),
                np.zeros_like(place),
                (_FIRST_SPEED * height * _SLOW) ** 2,
            ]
        )
        self.place = np.concatenate([self.place, place])
        self.speed = np.concatenate([self.speed, np.zeros_like(place)])
        self.cov = np.concatenate([self.cov, first], axis=1)

    def keep(self, which: npt.NDArray[np.int64]) -> None:
        """Forgets all others."""
        self.place, self.speed, self.cov = self.place[which], self.speed[which], self.cov[:, which]

    def _heights(self) -> Numbers:
        return np.maximum(self.place[:, 3:4], 1e-3)


def measured(corners: Numbers) -> Numbers:
    """Corners as centre and size."""
    return np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1)
