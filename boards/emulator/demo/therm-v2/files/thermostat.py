# A thermostat with hysteresis: the product that the agent lives beside.


class Thermostat:
    def __init__(self, target_c=20.0, band_c=0.5):
        self.target_c = target_c
        self.band_c = band_c
        self.heating = False

    def step(self, room_c):
        if room_c <= self.target_c - self.band_c:
            self.heating = True
        elif room_c >= self.target_c + self.band_c:
            self.heating = False
        return self.heating
