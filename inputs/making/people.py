"""Invented people and companies: common given names and surnames of a country, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from inputs.making.draw import Draw

__all__ = ["COMPANIES", "NAMES", "Person", "company", "person"]


class Person(NamedTuple):
    """A person: given name, surnames, and whether a woman (a CURP says so)."""

    given: str
    surnames: tuple[str, ...]
    woman: bool

    @property
    def name(self) -> str:
        """As it stands on a document."""
        return " ".join((self.given, *self.surnames))


class _Names(NamedTuple):
    women: str
    men: str
    surnames: str
    two: bool = False


NAMES: Final = {
    "AR": _Names(
        "Sofía Valentina Camila Martina Lucía Florencia Agustina Micaela",
        "Mateo Santiago Joaquín Thiago Facundo Nicolás Lautaro Bruno",
        "Fernández Gómez Díaz Romero Sosa Benítez Acosta Medina Herrera Aguirre Giménez Molina",
    ),
    "BR": _Names(
        "Ana Beatriz Camila Fernanda Juliana Larissa Mariana Patrícia Renata Vanessa",
        "Bruno Carlos Diego Eduardo Felipe Gustavo João Lucas Rafael Thiago",
        "Silva Santos Oliveira Souza Lima Pereira Ferreira Costa Rodrigues Almeida Carvalho Rocha",
        two=True,
    ),
    "CL": _Names(
        "Catalina Constanza Francisca Javiera Antonia Carolina Isidora",
        "Benjamín Cristóbal Matías Sebastián Vicente Tomás Ignacio",
        "González Muñoz Rojas Contreras Silva Sepúlveda Morales Fuentes Araya Espinoza Tapia",
        two=True,
    ),
    "CO": _Names(
        "Daniela Valentina Laura Paola Natalia Juliana Andrea Yuliana",
        "Andrés Camilo Julián Sebastián Jhon Santiago Cristian Esteban",
        "Rodríguez Gómez Martínez García López Ramírez Torres Castro Moreno Vargas Rojas Quintero",
        two=True,
    ),
    "MX": _Names(
        "Guadalupe Fernanda Alejandra Ximena Daniela Verónica Leticia Karla",
        "Luis Miguel Alejandro Ricardo Fernando Javier Roberto Emiliano",
        "Hernández García Martínez López González Pérez Sánchez Ramírez Flores Cruz Morales Reyes",
        two=True,
    ),
    "PE": _Names(
        "Rosa Milagros Fiorella Katherine Lucero Maribel Jackeline",
        "Jorge Luis Christian Renzo Alonso Percy Wilmer Gianmarco",
        "Quispe Flores Huamán Mamani Rojas Chávez Vásquez Castillo Ramos Espinoza Torres",
        two=True,
    ),
    "GH": _Names(
        "Akosua Abena Esi Adwoa Efua Afia Yaa Ama",
        "Kwame Kofi Kwaku Yaw Kojo Kwabena Kwasi Nii",
        "Mensah Owusu Asante Boateng Osei Appiah Agyeman Antwi Addo Amoah Darko Ofori",
    ),
    "KE": _Names(
        "Wanjiku Achieng Faith Mercy Njeri Akinyi Purity Chebet",
        "Kamau Otieno Brian Kiprono Mwangi Odhiambo Dennis Mutua",
        "Kariuki Ochieng Mwangi Wafula Kiplagat Njoroge Omondi Wambui Cheruiyot Muthoni Maina",
    ),
    "NG": _Names(
        "Chidinma Ngozi Aisha Folake Amina Blessing Ifeoma Halima",
        "Emeka Tunde Ibrahim Chinedu Oluwaseun Musa Obinna Yusuf",
        "Okafor Adeyemi Balogun Eze Abubakar Nwosu Ogunleye Bello Okonkwo Adebayo Umar Lawal",
    ),
    "SN": _Names(
        "Aminata Fatou Awa Mariama Khady Ndeye Astou Coumba",
        "Mamadou Ousmane Cheikh Ibrahima Moussa Abdoulaye Pape Modou",
        "Diop Ndiaye Fall Sow Ba Diallo Gueye Faye Sarr Mbaye Cisse Seck",
    ),
    "TR": _Names(
        "Zeynep Elif Merve Ayşe Büşra Esra Gamze Derya",
        "Emre Mehmet Mustafa Burak Serkan Oğuz Kerem Hakan",
        "Yılmaz Kaya Demir Çelik Şahin Aydın Arslan Doğan Kılıç Aslan Koç Kurt",
    ),
    "DE": _Names(
        "Anna Lena Julia Katharina Sabine Petra Miriam Heike Claudia",
        "Jonas Lukas Thomas Stefan Andreas Tobias Markus Florian Jan",
        "Weber Schmidt Fischer Wagner Becker Hoffmann Schulz Koch Richter Klein Wolf Neumann"
        " Zimmermann Krause Lehmann Vogt Müller Schäfer Köhler",
    ),
    "ES": _Names(
        "Carmen Laura Marta Cristina Elena Paula Beatriz Pilar",
        "Antonio Javier Manuel Sergio Pablo Carlos Alberto Rubén",
        "Navarro Serrano Blanco Molina Castro Ortega Delgado Ramos Iglesias Cano García Martín",
        two=True,
    ),
    "FR": _Names(
        "Camille Julie Sophie Claire Nathalie Marion Pauline Sandrine",
        "Nicolas Julien Thomas Pierre Antoine Mathieu Olivier Laurent",
        "Martin Bernard Dubois Moreau Laurent Girard Lefebvre Roux Fournier Mercier Blanc Garnier"
        " Lemoine Renaud Guérin",
    ),
    "IT": _Names(
        "Giulia Chiara Francesca Martina Elisa Valentina Paola Silvia",
        "Marco Luca Andrea Matteo Davide Stefano Alessandro Giorgio",
        "Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Conti Gallo",
    ),
    "NL": _Names(
        "Sanne Emma Lotte Femke Marieke Anouk Iris",
        "Daan Sem Bram Jeroen Ruben Martijn Thijs",
        "Jansen Bakker Visser Smit Meijer Mulder Bos Vos Peters Hendriks Dekker Brouwer",
    ),
    "BE": _Names(
        "Charlotte Louise Elise Manon Lien Sofie",
        "Arthur Simon Maxime Wout Pieter Jef",
        "Peeters Janssens Maes Jacobs Mertens Willems Claes Goossens Lambert Dupont",
    ),
    "AT": _Names(
        "Magdalena Eva Johanna Theresa Barbara Ulrike",
        "Maximilian Paul Michael Christoph Wolfgang Georg",
        "Gruber Huber Bauer Wagner Pichler Steiner Moser Mayer Hofer Leitner Eder Fuchs",
    ),
    "PT": _Names(
        "Ana Maria Joana Beatriz Catarina Marta",
        "Rui Pedro Miguel Nuno Diogo Tiago Vasco",
        "Silva Santos Ferreira Pereira Oliveira Costa Rodrigues Martins Sousa Lopes Simões",
        two=True,
    ),
    "IE": _Names(
        "Aoife Ciara Niamh Emma Sinead Orla",
        "Conor Sean Cian Patrick Liam Eoin",
        "Murphy Kelly Byrne Ryan Walsh Doyle McCarthy Gallagher Kennedy Lynch Murray Quinn",
    ),
    "FI": _Names(
        "Aino Helmi Sofia Noora Emilia Kaisa",
        "Onni Eetu Mikko Antti Juhani Ville",
        "Korhonen Virtanen Nieminen Laine Heikkinen Koskinen Salonen Lehtinen Saarinen Rantanen",
    ),
    "001": _Names(
        "Maya Nadia Lina Priya Olena Thu",
        "Omar Arjun Dmytro Farid Minh Kofi",
        "Rahman Nguyen Shevchenko Haddad Iyer Santos Mensah Petrov Hassan Tran",
    ),
}
"""By country, separated by blanks; `two` where people have two surnames."""

COMPANIES: Final = {
    "DE": ("{0} Logistik GmbH", "{0} und Sohn KG", "Druckerei {0} GmbH"),
    "FR": ("{0} Transports SARL", "Ateliers {0} SAS", "Boulangerie {0}"),
    "ES": ("Talleres {0} SL", "{0} Distribuciones SA"),
    "IT": ("Officine {0} Srl", "{0} e Figli Snc"),
    "NL": ("{0} Installaties BV", "Drukkerij {0} BV"),
    "BE": ("{0} Trading NV", "Brasserie {0} SRL"),
    "AT": ("{0} Bau GmbH", "Tischlerei {0} KG"),
    "PT": ("{0} Tecidos Lda", "Moldes {0} Lda"),
    "IE": ("{0} Freight Ltd", "{0} and Daughters Ltd"),
    "FI": ("{0} Kuljetus Oy", "Konepaja {0} Oy"),
}
"""Suppliers of a country, named after somebody."""


def person(country: str, draw: Draw) -> Person:
    """Somebody who could live there."""
    names = NAMES[country]
    woman = draw.below(2) == 0
    given = draw.one((names.women if woman else names.men).split())
    surnames = names.surnames.split()
    first = draw.one(surnames)
    if not names.two:
        return Person(given, (first,), woman)
    return Person(given, (first, draw.one([name for name in surnames if name != first])), woman)


def company(country: str, draw: Draw) -> str:
    """A small supplier there."""
    surname = draw.one(NAMES[country].surnames.split())
    return draw.one(COMPANIES[country]).format(surname)
